// What a file says about being written: from what its writes came to, from a write that changes nothing, and from a repair.

import { open, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SqliteDatabase } from '../../../src/stores/sqlite/database.ts';
import { SqliteLedgerStore, type StorageWatch } from '../../../src/stores/sqlite/index.ts';
import { LEDGER_LAYOUT } from '../../../src/stores/sqlite/ledger-layout.ts';
import { openDatabase } from '../../../src/stores/sqlite/open-database.ts';
import { FramesLost, WriteAheadFile } from '../../../src/stores/sqlite/write-ahead-file.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { type Folder, makeFolder } from './folder.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;

let folder: Folder;
let path: string;
let database: SqliteDatabase;
let store: SqliteLedgerStore;
let isDamaged: boolean;
const reported = { failed: vi.fn<StorageWatch['failed']>(), lost: vi.fn<StorageWatch['lost']>() };

beforeEach(async () => {
  vi.clearAllMocks();
  isDamaged = false;
  folder = await makeFolder();
  path = folder.file('ledger.db');
  database = openDatabase(path, LEDGER_LAYOUT, REASONS, { ...reported, isDamaged: () => isDamaged });
  store = new SqliteLedgerStore(database);
  await store.initialise(EMPTY_HEAD, 'test+key');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
  await folder.remove();
});

/** Pages that the write-ahead file has taken. */
const written = () => Number(database.connection.prepare('PRAGMA wal_checkpoint(NOOP)').get()?.['log']);

describe('L28: whether a file can be written', () => {
  test('is shown by a write of the last seconds, and after that by one that changes nothing', async () => {
    await store.commit([candidate('a')], honestSeal());
    const after = written();
    await database.checkWrites();
    expect(written()).toBe(after);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 6_000);
    await database.checkWrites();
    expect(written()).toBe(after + 1);
    expect(await checkStore(store)).toHaveLength(1);
    expect(database.isWritable()).toBe(true);
  });

  test('is not tried where it is known to be damaged, and nobody else writes it either', async () => {
    isDamaged = true;
    const before = written();
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 6_000);
    await database.checkWrites();
    expect(written()).toBe(before);
    expect(() => database.rejectDamaged()).toThrow(expect.objectContaining({ reason: 'LEDGER_CORRUPT' }));
  });

  test('a transaction that cannot be ended is reported: only a new process can write the file', async () => {
    // No error that can be brought about keeps SQLite from rolling back.
    const { exec } = database.connection;
    const failing = vi.spyOn(database.connection, 'exec').mockImplementation((sql) => {
      if (sql === 'ROLLBACK') throw new Error('it does not roll back');
      exec.call(database.connection, sql);
    });
    const broken = () => {
      throw new Error('the seal is broken');
    };
    await expect(store.commit([candidate('a')], broken)).rejects.toThrow('the seal is broken');
    expect(reported.lost).not.toHaveBeenCalled();
    await expect(database.checkWrites()).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    expect(reported.lost).toHaveBeenCalledWith('ledger.db');
    expect(database.isWritable()).toBe(false);
    failing.mockRestore();
    database.connection.exec('ROLLBACK');
  });
});

test('L2: a write-ahead file that is written anew is the same to the byte', async () => {
  for (let n = 0; n < 5; n++) await store.commit([candidate(`${n}`, { content: 'x'.repeat(300_000) })], honestSeal());
  const before = await readFile(`${path}-wal`);
  const file = new WriteAheadFile(path, REASONS);
  expect(written()).toBeGreaterThan(300);
  await file.renew(written());
  expect((await readFile(`${path}-wal`)).equals(before)).toBe(true);
  expect(await checkStore(store)).toHaveLength(5);
  file.close();
  await expect(file.renew(written())).rejects.toThrow('closed');
});

test.each([
  ['a bit of the header', 17],
  ['a bit of the first frame', 32 + 24 + 100],
  ['a bit of the last frame', -1],
])('L2: %s that the system lost is found when the write-ahead file is written anew', async (_title, at) => {
  await store.commit([candidate('a', { content: 'x'.repeat(30_000) })], honestSeal());
  const bytes = await readFile(`${path}-wal`);
  const place = (at + bytes.length) % bytes.length;
  await using handle = await open(`${path}-wal`, 'r+');
  await handle.write(Buffer.of(bytes[place]! ^ 1), 0, 1, place);
  const file = new WriteAheadFile(path, REASONS);
  await expect(file.renew(written())).rejects.toThrow(FramesLost);
  file.close();
  await handle.write(bytes, place, 1, place);
});
