// A backup is put in place as a data directory: it is whole, or nothing is changed.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { emptyCheckpoint, generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { ect } from '../cli/run.ts';
import { describeWhen } from '../support/need.ts';
import { randomNumbers, SEED } from '../support/random.ts';
import { MAIN } from '../support/service-process.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../support/small-disk.ts';
import { backup, copyOf, ENTRIES, earlier, filesOf, lossIn, made, NAMES, restoring } from './restored.ts';

describe('L19 a backup is restored', () => {
  test.each(['where nothing is', 'into an empty directory', 'into a volume', 'where an earlier restore was killed'])(
    '%s: as it was backed up, for its owner only',
    async (where) => {
      const dataDir = made.path('restored');
      if (where !== 'where nothing is') await mkdir(dataDir);
      if (where === 'into a volume') await mkdir(join(dataDir, 'lost+found'));
      if (where === 'where an earlier restore was killed') {
        await mkdir(join(dataDir, 'restore.new'));
        for (const [name, text] of [
          ['unfinished', ''],
          ['ledger.db', 'half'],
        ] as const) {
          writeFileSync(join(dataDir, 'restore.new', name), text);
        }
      }
      const { code, reported } = await restoring(backup, dataDir);
      expect(reported).toMatchObject({ directory: dataDir, treeSize: String(ENTRIES), stayed: [] });
      expect(code).toBe(0);
      for (const name of NAMES) {
        expect(readFileSync(join(dataDir, name)), name).toEqual(readFileSync(join(backup, name)));
        expect(statSync(join(dataDir, name)).mode & 0o777, name).toBe(0o600);
      }
      expect(existsSync(join(dataDir, 'restore.new'))).toBe(false);
      expect(await lossIn(dataDir)).toBeUndefined();
    },
  );

  test('says whose uses are forgotten, and nothing that cannot be undone is asked', async () => {
    const { code, err } = await ect(['restore', backup, '--data-dir', made.path('restored')]);
    expect(code).toBe(0);
    expect(err).toMatch(/Tokens that were used after 2\S+Z and have not expired can be used once more\./);
  });
});

describe('L19 L7 a backup that is damaged is not restored, and nothing is changed', () => {
  test.each([...NAMES, 'backup.json', 'SHA256SUMS'])('a bit of %s is flipped, anywhere', async (name) => {
    const random = randomNumbers(SEED);
    const bytes = readFileSync(join(backup, name));
    const at = [0, bytes.length - 1, ...Array.from({ length: 6 }, () => Math.floor(random() * bytes.length))];
    for (const place of at) {
      const copy = await copyOf(backup);
      const flipped = Buffer.from(bytes);
      const bit = Math.floor(random() * 8);
      flipped[place]! ^= 1 << bit;
      writeFileSync(join(copy, name), flipped);
      const dataDir = made.path('restored');
      const { code, reported } = await restoring(copy, dataDir);
      expect(reported.error?.reason, `bit ${bit} of byte ${place}`).toBe('backup_damaged');
      expect(code).toBe(1);
      // A line that is flipped may name another file.
      if (name !== 'SHA256SUMS') expect(reported.error.message).toContain(name);
      if (existsSync(dataDir)) expect(filesOf(dataDir).size).toBe(0);
      await rm(copy, { recursive: true });
    }
  });

  test.each<[string, (copy: string) => Promise<unknown>, string]>([
    ['that is missing', (copy) => rm(join(copy, 'once.db')), 'backup_damaged'],
    ['that is cut', (copy) => truncate(join(copy, 'ledger.db'), 4096), 'backup_damaged'],
    [
      'that has another length',
      async (copy) => writeFileSync(join(copy, 'ledger.key'), 'x', { flag: 'a' }),
      'backup_damaged',
    ],
    [
      'that is a directory',
      (copy) => rm(join(copy, 'once.db')).then(() => mkdir(join(copy, 'once.db'))),
      'backup_damaged',
    ],
    ['with the checksums that is missing', (copy) => rm(join(copy, 'SHA256SUMS')), 'backup_incomplete'],
    ['about the backup that is missing', (copy) => rm(join(copy, 'backup.json')), 'backup_incomplete'],
    [
      'of a backup that was killed',
      (copy) => rm(copy, { recursive: true }).then(() => mkdir(copy)),
      'backup_incomplete',
    ],
    ['that would be written elsewhere', async (copy) => rename(copy, '../../evil'), 'backup_damaged'],
    ['that is none that a backup has', async (copy) => rename(copy, 'owner.lock'), 'backup_damaged'],
    ['that is listed twice', async (copy) => rename(copy, 'ledger.db'), 'backup_damaged'],
  ])('a file %s', async (_, spoil, reason) => {
    const copy = await copyOf(backup);
    await spoil(copy);
    const dataDir = made.path('restored');
    const { code, reported } = await restoring(copy, dataDir);
    expect([code, reported.error?.reason]).toEqual([1, reason]);
    expect(reported.error.remedy).not.toBe('');
    if (existsSync(dataDir)) expect(filesOf(dataDir).size).toBe(0);
  });

  test.each(['SHA256SUMS', 'backup.json', 'once.db'])('%s is a FIFO: nothing waits for it', async (name) => {
    const copy = await copyOf(backup);
    await rm(join(copy, name));
    spawnSync('mkfifo', [join(copy, name)]);
    const args = [MAIN, 'restore', copy, '--data-dir', made.path('restored')];
    const { status, stderr } = spawnSync(process.execPath, args, {
      timeout: 8_000,
      killSignal: 'SIGKILL',
      encoding: 'utf8',
    });
    expect(stderr).toContain(`${join(copy, name)} is a FIFO, not a file`);
    expect(status).toBe(1);
  });

  test.each<[string, (manifest: Json) => unknown, string]>([
    ['null', () => null, 'not a JSON object'],
    ['a list', () => [], 'not a JSON object'],
    ['no JSON', () => undefined, 'not a JSON object'],
    ['of a format that is a text', (manifest) => ({ ...manifest, format: '1' }), 'the number of a format'],
    ['of no format', (manifest) => ({ ...manifest, format: undefined }), 'the number of a format'],
    ['without a list of files', (manifest) => ({ ...manifest, files: null }), 'does not list its files'],
    ['with a file that is null', (manifest) => ({ ...manifest, files: [null] }), 'does not list its files'],
    ['without a ledger', (manifest) => ({ ...manifest, ledger: undefined }), 'says nothing of the ledger'],
    ['of a ledger without a size', (manifest) => ({ ...manifest, ledger: {} }), 'which ledger it is of'],
    ['made at no time', (manifest) => ({ ...manifest, createdAt: '\u001b[31mnow' }), 'when it was made'],
    ['of no release', (manifest) => ({ ...manifest, version: 1 }), 'which release'],
  ])('a manifest that is %s', async (_, change, message) => {
    const copy = await copyOf(backup);
    rewrite(copy, change);
    const { code, reported } = await restoring(copy, made.path('restored'));
    expect(reported.error.message).toContain('backup.json is not as it was written');
    expect(reported.error.message).toContain(message);
    expect([code, reported.error.reason]).toEqual([1, 'backup_damaged']);
  });

  test('a backup of a newer format names the release that made it', async () => {
    const copy = await copyOf(backup);
    rewrite(copy, (manifest) => ({ ...manifest, format: 2, version: '9.1.0' }));
    const { reported } = await restoring(copy, made.path('restored'));
    expect(reported.error.message).toContain('has format 2, and this release reads 1');
    expect(reported.error.remedy).toContain('9.1.0');
  });

  const other = openLedgerKey(generateLedgerKey('other.example/x'));
  test.each<[string, (ledger: Reports) => Partial<Reports>]>([
    ['origin', () => ({ origin: other.origin })],
    ['verifier key', () => ({ verifierKey: other.verifierKey })],
    ['size', ({ size }) => ({ size: size + 1 })],
    ['size', ({ size }) => ({ size: size - 1 })],
    ['root', () => ({ rootHash: Buffer.alloc(32).toString('base64') })],
    ['time of the newest entry', () => ({ newestEntryAt: '2020-01-01T00:00:00.000Z' })],
    ['checkpoint', () => ({ checkpoint: emptyCheckpoint(other).checkpoint })],
  ])('a backup that says another %s than that of its ledger', async (what, lie) => {
    const copy = await copyOf(backup);
    rewrite(copy, (manifest) => ({ ...manifest, ledger: { ...manifest.ledger, ...lie(manifest.ledger) } }));
    const { code, reported } = await restoring(copy, made.path('restored'));
    expect([code, reported.error?.reason]).toEqual([1, 'backup_damaged']);
    expect(reported.error.message).toContain(`(the ledger has another ${what})`);
  });

  test.each<[string, string, () => Promise<string>]>([
    ['a mark of fewer entries', 'ledger.mark', async () => join(earlier, 'ledger.mark')],
    ['a key that is none', 'ledger.key', async () => join(backup, 'clock.json')],
    ['a ledger of fewer entries', 'ledger.db', async () => join(earlier, 'ledger.db')],
    ['a memory of uses that is none', 'once.db', async () => join(backup, 'ledger.db')],
  ])('a backup in which %s was put, with its checksum', async (_, name, from) => {
    const copy = await copyOf(backup);
    const bytes = readFileSync(await from());
    writeFileSync(join(copy, name), bytes);
    const sum = createHash('sha256').update(bytes).digest('hex');
    const sums = readFileSync(join(copy, 'SHA256SUMS'), 'utf8');
    writeFileSync(join(copy, 'SHA256SUMS'), sums.replace(new RegExp(`[0-9a-f]{64}  ${name}`), `${sum}  ${name}`));
    rewrite(copy, (manifest) => ({
      ...manifest,
      files: manifest.files.map((file) => (file.name === name ? { name, bytes: bytes.length } : file)),
    }));
    const { code, reported } = await restoring(copy, made.path('restored'));
    expect([code, reported.error?.reason]).toEqual([1, 'backup_damaged']);
  });
});

interface Reports {
  readonly origin: string;
  readonly verifierKey: string;
  readonly size: number;
  readonly rootHash: string;
  readonly newestEntryAt: string;
  readonly checkpoint: string;
}

type Json = Record<string, unknown> & { readonly ledger: Reports; readonly files: readonly { name: string }[] };

/** Changes what a backup says, checksums included. */
function rewrite(copy: string, change: (manifest: Json) => unknown): void {
  const text = JSON.stringify(change(JSON.parse(readFileSync(join(copy, 'backup.json'), 'utf8')))) ?? 'no JSON';
  writeFileSync(join(copy, 'backup.json'), text);
  const sums = readFileSync(join(copy, 'SHA256SUMS'), 'utf8');
  const sum = createHash('sha256').update(text).digest('hex');
  writeFileSync(join(copy, 'SHA256SUMS'), sums.replace(/[0-9a-f]{64} {2}backup\.json/, `${sum}  backup.json`));
}

/** The file `once.db` of a backup under another name, in both lists. */
function rename(copy: string, name: string): void {
  const sums = readFileSync(join(copy, 'SHA256SUMS'), 'utf8');
  writeFileSync(join(copy, 'SHA256SUMS'), sums.replace('once.db', name));
  rewrite(copy, (manifest) => ({
    ...manifest,
    files: manifest.files.map((file) => (file.name === 'once.db' ? { ...file, name } : file)),
  }));
}

describeWhen(CAN_MOUNT, 'L15 L19 onto a disk that is full', NEED_TO_MOUNT, () => {
  test('nothing is changed', async () => {
    await using disk = await smallDisk(1, 0);
    const dataDir = disk.file('data');
    await cp(made.dataDir, dataDir, { recursive: true });
    writeFileSync(disk.file('pad'), Buffer.alloc(statSync(dataDir).blksize));
    const filler = Buffer.alloc(4096);
    try {
      for (;;) writeFileSync(disk.file('pad'), filler, { flag: 'a' });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    const before = filesOf(dataDir);
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, reported.error.reason]).toEqual([1, 'STORAGE_FULL']);
    expect(filesOf(dataDir)).toEqual(before);
    expect(existsSync(join(dataDir, 'restore.new'))).toBe(false);
  });
});
