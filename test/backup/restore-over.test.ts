// A backup is restored over a directory that was used: nothing that was acknowledged goes missing unless the ledger says so.

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
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { onceFaults } from '../../src/backup/examine.ts';
import type { Anchor } from '../../src/clock/anchor.ts';
import { writeAnchor } from '../../src/clock/anchor-file.ts';
import { filesIn } from '../../src/data-directory/data-dir.ts';
import { takeOwnership } from '../../src/data-directory/ownership.ts';
import { emptyCheckpoint, generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import { ect } from '../cli/run.ts';
import { backup, EARLIER, ENTRIES, earlier, filesOf, lossIn, made, restoring } from './restored.ts';

describe('L19 L8 over a directory that was used', () => {
  test('nothing is changed without --replace; with it what was there is kept, and what knows more stays', async () => {
    const dataDir = await made.copy();
    const before = filesOf(dataDir);
    const rejected = await restoring(backup, dataDir);
    expect([rejected.code, rejected.reported.error.reason]).toEqual([1, 'directory_not_empty']);
    expect(filesOf(dataDir)).toEqual(before);
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, reported.stayed]).toEqual([0, ['once.db', 'clock.json']]);
    for (const name of ['ledger.db', 'ledger.key', 'ledger.mark', 'signing-key.pem']) {
      expect(readFileSync(join(reported.keptIn, name), 'base64'), name).toBe(before.get(name));
    }
    expect(filesOf(dataDir).get('once.db')).toBe(before.get('once.db'));
    expect(await lossIn(dataDir)).toBeUndefined();
  });

  test('L40: a directory whose ledger was copied elsewhere is rejected, since no service would start over it', async () => {
    const dataDir = await made.copy();
    writeFileSync(join(dataDir, 'ledger.moved'), 'copied to a database');
    const before = filesOf(dataDir);
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, reported.error.reason]).toEqual([1, 'directory_unusable']);
    expect(reported.error.message).toContain('was copied by `ect ledger copy` (ledger.moved)');
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
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, reported.stayed]).toEqual([0, ['clock.json']]);
    expect(readFileSync(join(dataDir, 'once.db'))).toEqual(readFileSync(join(backup, 'once.db')));
    expect(existsSync(join(dataDir, 'once.db-wal'))).toBe(false);
    expect(await onceFaults(join(dataDir, 'once.db'), true)).toEqual([]);
  });

  test('a write-ahead file and marks of damage of the ledger before go with it', async () => {
    const dataDir = made.path('killed');
    await cp(made.early, dataDir, { recursive: true });
    for (const name of ['ledger.damaged', 'once.damaged']) writeFileSync(join(dataDir, name), '{}');
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
    expect([code, reported.stayed]).toEqual([0, ['clock.json']]);
    expect(statSync(join(reported.keptIn, 'ledger.db-wal')).size).toBeGreaterThan(0);
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
      const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
      expect([code, reported.error?.reason]).toEqual([1, 'directory_unusable']);
      expect(reported.error.message).toContain(
        `${join(dataDir, name)} is a directory, not a file. Nothing was changed.`,
      );
      expect(readdirSync(dataDir).filter((each) => !each.startsWith('owner.'))).toEqual(
        before.filter((each) => !each.startsWith('owner.')),
      );
    },
  );

  test('in use: nothing is read, and it says by whom', async () => {
    const dataDir = await made.copy();
    const ownership = await takeOwnership(filesIn(dataDir));
    const before = filesOf(dataDir);
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes').finally(() =>
      ownership.release(),
    );
    expect([code, reported.error.reason]).toEqual([1, 'directory_in_use']);
    expect(reported.error.message).toContain(`in use by process ${process.pid}`);
    // The advice once, and the one of this command.
    expect(reported.error.message).not.toContain('Stop');
    expect(reported.error.remedy).toBe('Stop that service first, or name another directory.');
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
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--accept-loss', '--yes');
    expect([code, reported.error?.reason]).toEqual([1, 'other_ledger']);
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
      const { code, reported } = await restoring(named, dataDir, '--replace', '--yes');
      expect([code, reported.error?.reason]).toEqual([1, 'directory_unusable']);
      expect(reported.error.remedy).toContain('Move it out of the data directory');
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
      const { code, reported } = await restoring(backup, dataDir, '--replace', '--yes');
      expect([code, reported.error?.reason]).toEqual([1, 'directory_unusable']);
      expect(reported.error.remedy).toContain('Move it out of the data directory');
      expect([filesOf(dataDir), filesOf(backup)]).toEqual(before);
      expect(lstatSync(place, { throwIfNoEntry: false })).toBeDefined();
    },
  );

  test('itself is no backup', async () => {
    const link = made.path('link');
    symlinkSync(backup, link);
    for (const dataDir of [backup, link]) {
      expect((await restoring(backup, dataDir, '--replace', '--yes')).reported.error.reason).toBe('directory_unusable');
    }
    expect((await restoring(made.dataDir, made.path())).reported.error.reason).toBe('backup_incomplete');
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
    const { code, reported } = await restoring(earlier, dataDir, '--replace', '--yes');
    expect([code, reported.error.reason]).toEqual([1, 'backup_older']);
    expect(reported.error.message).toContain(`The backup holds ${EARLIER} entries, but the ledger in`);
    expect(reported.error.message).toContain(`has shown ${ENTRIES} entries, the last of 2`);
    expect(reported.error.remedy).toContain('--accept-loss');
    expect(filesOf(dataDir)).toEqual(before);
  });

  test.each(states)('is restored over a directory %s once that is accepted: an entry states it', async (_, spoil) => {
    const dataDir = await made.copy();
    await spoil(dataDir);
    const order = ['--replace', '--accept-loss', '--note', 'the disk failed', '--yes'];
    const { code, reported } = await restoring(earlier, dataDir, ...order);
    expect([code, reported.acceptedLoss]).toEqual([0, { index: String(EARLIER), shownSize: String(ENTRIES) }]);
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
    expect([rejected.code, rejected.reported.error.reason]).toEqual([1, 'directory_unusable']);
    expect(rejected.reported.error.message).toContain(
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
      const { code, reported } = await restoring(earlier, dataDir, ...order);
      expect([code, reported.acceptedLoss]).toEqual([0, { index: String(EARLIER), shownSize: String(ENTRIES) }]);
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
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--accept-loss', '--yes');
    expect([code, reported.acceptedLoss]).toEqual([0, undefined]);
    expect(
      (await restoring(earlier, made.path('new'), '--accept-loss', '--yes')).reported.acceptedLoss,
    ).toBeUndefined();
  });

  test('a mark that is damaged says nothing: rejected, and its way out', async () => {
    const dataDir = await made.copy();
    writeFileSync(join(dataDir, 'ledger.mark'), Buffer.alloc(12_288, 1));
    const { code, reported } = await restoring(backup, dataDir, '--replace', '--accept-loss', '--yes');
    expect([code, reported.error.reason]).toEqual([1, 'history_lost']);
    expect(reported.error.remedy).toContain('Move ledger.mark away');
    await rm(join(dataDir, 'ledger.mark'));
    expect((await restoring(backup, dataDir, '--replace', '--yes')).code).toBe(0);
  });
});
