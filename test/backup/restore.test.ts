// A backup is put in place as a data directory: it is whole or nothing is changed, and nothing that was acknowledged goes missing
// unless the ledger says so.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { cp, mkdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onceFaults } from '../../src/backup/examine.ts';
import type { Anchor } from '../../src/clock/anchor.ts';
import { writeAnchor } from '../../src/clock/anchor-file.ts';
import { filesIn, readLedgerKey } from '../../src/data-directory/data-dir.ts';
import { findLoss } from '../../src/data-directory/history-check.ts';
import { takeOwnership } from '../../src/data-directory/ownership.ts';
import { emptyCheckpoint, generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import { ect } from '../cli/run.ts';
import { describeWhen } from '../support/need.ts';
import { randomNumbers, SEED } from '../support/random.ts';
import { MAIN } from '../support/service-process.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../support/small-disk.ts';
import { type Installation, KEY_ENTRIES, makeInstallation } from './installation.ts';

let made: Installation;
/** Backups of all entries, and of fewer. */
let [backup, earlier] = ['', ''];
beforeAll(async () => {
  made = await makeInstallation();
  [backup, earlier] = [made.path('backup'), made.path('backup')];
  for (const [directory, dataDir] of [
    [backup, made.dataDir],
    [earlier, made.early],
  ] as const) {
    expect(await ect(['backup', directory, '--data-dir', dataDir])).toMatchObject({ code: 0 });
  }
});
afterAll(() => made[Symbol.asyncDispose]());

const [ENTRIES, EARLIER] = [KEY_ENTRIES + 5, KEY_ENTRIES + 3];
const NAMES = ['clock.json', 'ledger.db', 'ledger.key', 'ledger.mark', 'once.db', 'signing-key.pem'];

/** What a start sees: not who owned the directory. */
function filesOf(directory: string): ReadonlyMap<string, string> {
  const names = readdirSync(directory).filter((name) => statSync(join(directory, name)).isFile());
  const relevant = names.filter((name) => !name.startsWith('owner.') && !name.endsWith('-shm'));
  return new Map(relevant.sort().map((name) => [name, readFileSync(join(directory, name), 'base64')]));
}

async function restoring(directory: string, dataDir: string, ...options: readonly string[]) {
  const { code, out } = await ect(['restore', directory, '--data-dir', dataDir, '--json', ...options]);
  return { code, told: JSON.parse(out) };
}

/** What a start rejects a directory for, reading only. */
async function lossIn(dataDir: string): Promise<string | undefined> {
  const dir = filesIn(dataDir);
  return (await findLoss(dir, (await readLedgerKey(dir))!.verifierKey))?.kind;
}

async function copyOf(directory: string, name = 'copy'): Promise<string> {
  const copy = made.path(name);
  await cp(directory, copy, { recursive: true });
  return copy;
}

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
      const { code, told } = await restoring(backup, dataDir);
      expect(told).toMatchObject({ directory: dataDir, treeSize: String(ENTRIES), stayed: [] });
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
      const { code, told } = await restoring(copy, dataDir);
      expect(told.error?.reason, `bit ${bit} of byte ${place}`).toBe('backup_damaged');
      expect(code).toBe(1);
      // A line that is flipped may name another file.
      if (name !== 'SHA256SUMS') expect(told.error.message).toContain(name);
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
    const { code, told } = await restoring(copy, dataDir);
    expect([code, told.error?.reason]).toEqual([1, reason]);
    expect(told.error.remedy).not.toBe('');
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
    const { code, told } = await restoring(copy, made.path('restored'));
    expect(told.error.message).toContain('backup.json is not as it was written');
    expect(told.error.message).toContain(message);
    expect([code, told.error.reason]).toEqual([1, 'backup_damaged']);
  });

  test('a backup of a newer format names the release that made it', async () => {
    const copy = await copyOf(backup);
    rewrite(copy, (manifest) => ({ ...manifest, format: 2, version: '9.1.0' }));
    const { told } = await restoring(copy, made.path('restored'));
    expect(told.error.message).toContain('has format 2, and this release reads 1');
    expect(told.error.remedy).toContain('9.1.0');
  });

  const other = openLedgerKey(generateLedgerKey('other.example/x'));
  test.each<[string, (ledger: Told) => Partial<Told>]>([
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
    const { code, told } = await restoring(copy, made.path('restored'));
    expect([code, told.error?.reason]).toEqual([1, 'backup_damaged']);
    expect(told.error.message).toContain(`(the ledger has another ${what})`);
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
    const { code, told } = await restoring(copy, made.path('restored'));
    expect([code, told.error?.reason]).toEqual([1, 'backup_damaged']);
  });
});

interface Told {
  readonly origin: string;
  readonly verifierKey: string;
  readonly size: number;
  readonly rootHash: string;
  readonly newestEntryAt: string;
  readonly checkpoint: string;
}

type Json = Record<string, unknown> & { readonly ledger: Told; readonly files: readonly { name: string }[] };

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

describe('L19 L8 over a directory that was used', () => {
  test('nothing is changed without --replace; with it what was there is kept, and what knows more stays', async () => {
    const dataDir = await made.copy();
    const before = filesOf(dataDir);
    const rejected = await restoring(backup, dataDir);
    expect([rejected.code, rejected.told.error.reason]).toEqual([1, 'directory_not_empty']);
    expect(filesOf(dataDir)).toEqual(before);
    const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, told.stayed]).toEqual([0, ['once.db', 'clock.json']]);
    for (const name of ['ledger.db', 'ledger.key', 'ledger.mark', 'signing-key.pem']) {
      expect(readFileSync(join(told.keptIn, name), 'base64'), name).toBe(before.get(name));
    }
    expect(filesOf(dataDir).get('once.db')).toBe(before.get('once.db'));
    expect(await lossIn(dataDir)).toBeUndefined();
  });

  test('L40: a directory whose ledger was copied elsewhere is rejected, since no service would start over it', async () => {
    const dataDir = await made.copy();
    writeFileSync(join(dataDir, 'ledger.moved'), 'copied to a database');
    const before = filesOf(dataDir);
    const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, told.error.reason]).toEqual([1, 'directory_unusable']);
    expect(told.error.message).toContain('was copied by `ect ledger copy` (ledger.moved)');
    expect(filesOf(dataDir)).toEqual(before);
  });

  test('what cannot be undone needs --yes, and nothing is read before', async () => {
    for (const option of ['--replace', '--accept-loss']) {
      const { code, err } = await ect(['restore', 'nowhere', '--data-dir', await made.copy(), option]);
      expect([code, err]).toEqual([2, expect.stringContaining('repeat the command with --yes')]);
    }
    const { code, err } = await ect(['restore', backup, '--note', 'why', '--data-dir', made.path()]);
    expect([code, err]).toEqual([2, expect.stringContaining('--note goes with --accept-loss')]);
  });

  test('a memory of uses that is damaged is replaced, with its companions', async () => {
    const dataDir = await made.copy();
    writeFileSync(join(dataDir, 'once.db'), Buffer.alloc(32_768, 7));
    writeFileSync(join(dataDir, 'once.db-wal'), 'of the damaged one');
    const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, told.stayed]).toEqual([0, ['clock.json']]);
    expect(readFileSync(join(dataDir, 'once.db'))).toEqual(readFileSync(join(backup, 'once.db')));
    expect(existsSync(join(dataDir, 'once.db-wal'))).toBe(false);
    expect(await onceFaults(join(dataDir, 'once.db'), true)).toEqual([]);
  });

  test('a write-ahead file and marks of damage of the ledger before go with it', async () => {
    const dataDir = made.path('killed');
    await cp(made.early, dataDir, { recursive: true });
    for (const name of ['ledger.damaged', 'once.damaged']) writeFileSync(join(dataDir, name), '{}');
    const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, told.stayed]).toEqual([0, ['clock.json']]);
    expect(statSync(join(told.keptIn, 'ledger.db-wal')).size).toBeGreaterThan(0);
    expect(readdirSync(dataDir).filter((name) => /damaged|-wal|-shm/.test(name))).toEqual([]);
    expect(await ect(['audit', join(dataDir, 'ledger.db')])).toMatchObject({ code: 0 });
  });

  test.each(['signing-key.pem', 'signing-key-2.pem', 'ledger.key', 'kms-key.json'])(
    'in which %s is a directory: rejected, and nothing is begun',
    async (name) => {
      const dataDir = await made.copy();
      await rm(join(dataDir, name), { force: true });
      mkdirSync(join(dataDir, name));
      const before = readdirSync(dataDir);
      const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
      expect([code, told.error?.reason]).toEqual([1, 'directory_unusable']);
      expect(told.error.message).toContain(`${join(dataDir, name)} is a directory, not a file. Nothing was changed.`);
      expect(readdirSync(dataDir).filter((each) => !each.startsWith('owner.'))).toEqual(
        before.filter((each) => !each.startsWith('owner.')),
      );
    },
  );

  test('in use: nothing is read, and it says by whom', async () => {
    const dataDir = await made.copy();
    const ownership = await takeOwnership(filesIn(dataDir));
    const before = filesOf(dataDir);
    const { code, told } = await restoring(backup, dataDir, '--replace', '--yes').finally(() => ownership.release());
    expect([code, told.error.reason]).toEqual([1, 'directory_in_use']);
    expect(told.error.message).toContain(`in use by process ${process.pid}`);
    expect(filesOf(dataDir)).toEqual(before);
  });

  test.each(['key', 'mark'])('of another ledger, by its %s', async (what) => {
    const dataDir = await made.copy();
    const dir = filesIn(dataDir);
    await rm(dir.ledgerKey);
    const other = generateLedgerKey('other.example/x');
    if (what === 'key') writeFileSync(dir.ledgerKey, `${other}\n`, { mode: 0o600 });
    else await MarkFile.replace(dir.mark, emptyCheckpoint(openLedgerKey(other)));
    const before = filesOf(dataDir);
    const { code, told } = await restoring(backup, dataDir, '--replace', '--accept-loss', '--yes');
    expect([code, told.error?.reason]).toEqual([1, 'other_ledger']);
    expect(filesOf(dataDir)).toEqual(before);
  });

  test.each(['by its path', 'through a link to the data directory', 'through a link to the backup'])(
    'a backup that lies where the copies are made, %s: it is rejected and stays whole',
    async (how) => {
      const dataDir = await made.copy();
      const inside = join(dataDir, 'restore.new');
      await cp(backup, inside, { recursive: true });
      const [toData, toBackup] = [made.path('link'), made.path('link')];
      symlinkSync(dataDir, toData);
      symlinkSync(inside, toBackup);
      const named =
        how === 'by its path' ? inside : how.endsWith('the backup') ? toBackup : join(toData, 'restore.new');
      const before = [filesOf(dataDir), filesOf(inside)];
      const { code, told } = await restoring(named, dataDir, '--replace', '--yes');
      expect([code, told.error?.reason]).toEqual([1, 'directory_unusable']);
      expect(told.error.remedy).toContain('Move it out of the data directory');
      expect([filesOf(dataDir), filesOf(inside)]).toEqual(before);
    },
  );

  test.each(['a directory', 'a file', 'a link to the backup'])(
    'what is in the place of the copies and no restore has left is not removed: %s',
    async (what) => {
      const dataDir = await made.copy();
      const place = join(dataDir, 'restore.new');
      if (what === 'a file') writeFileSync(place, 'notes');
      else if (what === 'a directory') {
        mkdirSync(place);
        writeFileSync(join(place, 'notes.txt'), 'notes');
      } else symlinkSync(backup, place);
      const before = [filesOf(dataDir), filesOf(backup)];
      const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
      expect([code, told.error?.reason]).toEqual([1, 'directory_unusable']);
      expect(told.error.remedy).toContain('Move it out of the data directory');
      expect([filesOf(dataDir), filesOf(backup)]).toEqual(before);
      expect(lstatSync(place, { throwIfNoEntry: false })).toBeDefined();
    },
  );

  test('itself is no backup', async () => {
    const link = made.path('link');
    symlinkSync(backup, link);
    for (const dataDir of [backup, link]) {
      expect((await restoring(backup, dataDir, '--replace', '--yes')).told.error.reason).toBe('directory_unusable');
    }
    expect((await restoring(made.dataDir, made.path())).told.error.reason).toBe('backup_incomplete');
  });
});

describe('L19 L25 a backup that is older than what was shown', () => {
  /** What is left of the ledger, beside a mark of 7 entries. */
  const states: readonly (readonly [string, (dataDir: string) => Promise<unknown>])[] = [
    ['whose ledger is gone', (dataDir) => rm(join(dataDir, 'ledger.db'))],
    ['whose ledger is damaged', async (dataDir) => writeFileSync(join(dataDir, 'ledger.db'), Buffer.alloc(40_960, 3))],
    ['whose ledger is whole', async () => undefined],
    ['whose mark is gone, but whose ledger is whole', (dataDir) => rm(join(dataDir, 'ledger.mark'))],
    ['of which the mark alone is left', (dataDir) => onlyMark(dataDir)],
  ];

  async function onlyMark(dataDir: string): Promise<void> {
    for (const name of readdirSync(dataDir)) if (name !== 'ledger.mark') await rm(join(dataDir, name));
  }

  test.each(states)('is rejected over a directory %s, with what to do, and nothing is changed', async (_, spoil) => {
    const dataDir = await made.copy();
    await spoil(dataDir);
    const before = filesOf(dataDir);
    const { code, told } = await restoring(earlier, dataDir, '--replace', '--yes');
    expect([code, told.error.reason]).toEqual([1, 'backup_older']);
    expect(told.error.message).toContain(`The backup holds ${EARLIER} entries, but the ledger in`);
    expect(told.error.message).toContain(`has shown ${ENTRIES} entries, the last of 2`);
    expect(told.error.remedy).toContain('--accept-loss');
    expect(filesOf(dataDir)).toEqual(before);
  });

  test.each(states)('is restored over a directory %s once that is accepted: an entry states it', async (_, spoil) => {
    const dataDir = await made.copy();
    await spoil(dataDir);
    const order = ['--replace', '--accept-loss', '--note', 'the disk failed', '--yes'];
    const { code, told } = await restoring(earlier, dataDir, ...order);
    expect([code, told.acceptedLoss]).toEqual([0, { index: String(EARLIER), shownSize: String(ENTRIES) }]);
    expect(await lossIn(dataDir)).toBeUndefined();
    const audit = await ect(['audit', join(dataDir, 'ledger.db'), '--json']);
    expect(JSON.parse(audit.out)).toMatchObject({
      ok: true,
      acceptedLosses: [{ index: EARLIER, shownSize: String(ENTRIES) }],
    });
  });

  test('C1: a loss is not dated by a wall clock that jumped since the service ran', async () => {
    const dataDir = await made.copy();
    const path = join(dataDir, 'clock.json');
    const kept = readFileSync(path, 'utf8');
    const clock = JSON.parse(kept) as Anchor;
    // As if the wall clock had been set forward by a day since.
    writeAnchor(path, { ...clock, believedMs: clock.believedMs - 86_400_000 });
    const before = filesOf(dataDir);
    const order = ['--replace', '--accept-loss', '--note', 'the disk failed', '--yes'];
    const rejected = await restoring(earlier, dataDir, ...order);
    expect([rejected.code, rejected.told.error.reason]).toEqual([1, 'directory_unusable']);
    expect(rejected.told.error.message).toContain(
      'The wall clock is 86400 s away from the time that the service trusted',
    );
    expect(filesOf(dataDir)).toEqual(before);
    for (const name of ['ledger.db', 'ledger.db-wal']) await rm(join(dataDir, name), { force: true });
    await cp(join(made.early, 'ledger.db'), join(dataDir, 'ledger.db'));
    await cp(join(made.early, 'ledger.db-wal'), join(dataDir, 'ledger.db-wal'));
    const missing = filesOf(dataDir);
    const { code, err } = await ect(['ledger', 'accept-loss', '--data-dir', dataDir, '--yes']);
    expect([code, err]).toEqual([1, expect.stringContaining('Set the clock right (NTP), and repeat the command.')]);
    expect(filesOf(dataDir)).toEqual(missing);
    // Who knows that the clock is right removes the file.
    await rm(path);
    expect(await restoring(earlier, dataDir, ...order)).toMatchObject({ code: 0 });
  });

  test('is restored twice, and the entry states what was lost the first time', async () => {
    const dataDir = await made.copy();
    const order = ['--replace', '--accept-loss', '--note', 'the disk failed', '--yes'];
    for (let turn = 0; turn < 3; turn++) {
      const { code, told } = await restoring(earlier, dataDir, ...order);
      expect([code, told.acceptedLoss]).toEqual([0, { index: String(EARLIER), shownSize: String(ENTRIES) }]);
    }
    expect(await lossIn(dataDir)).toBeUndefined();
    const { out } = await ect(['audit', join(dataDir, 'ledger.db'), '--json']);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      acceptedLosses: [{ index: EARLIER, shownSize: String(ENTRIES) }],
    });
  });

  test('nothing is stated where nothing is missing', async () => {
    const dataDir = await made.copy();
    const { code, told } = await restoring(backup, dataDir, '--replace', '--accept-loss', '--yes');
    expect([code, told.acceptedLoss]).toEqual([0, undefined]);
    expect((await restoring(earlier, made.path('new'), '--accept-loss', '--yes')).told.acceptedLoss).toBeUndefined();
  });

  test('a mark that is damaged says nothing: rejected, and its way out', async () => {
    const dataDir = await made.copy();
    writeFileSync(join(dataDir, 'ledger.mark'), Buffer.alloc(12_288, 1));
    const { code, told } = await restoring(backup, dataDir, '--replace', '--accept-loss', '--yes');
    expect([code, told.error.reason]).toEqual([1, 'history_lost']);
    expect(told.error.remedy).toContain('Move ledger.mark away');
    await rm(join(dataDir, 'ledger.mark'));
    expect((await restoring(backup, dataDir, '--replace', '--yes')).code).toBe(0);
  });
});

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
    const { code, told } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, told.error.reason]).toEqual([1, 'STORAGE_FULL']);
    expect(filesOf(dataDir)).toEqual(before);
    expect(existsSync(join(dataDir, 'restore.new'))).toBe(false);
  });
});
