// Pending recordings in SQLite: the contract, and the file that they share with uses and request ids.

import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PENDING_LIMITS, type PendingLimits } from '../../../src/authority/index.ts';
import { onceFaults } from '../../../src/backup/examine.ts';
import { reject } from '../../../src/errors.ts';
import { EXPIRING_KEY_LAYOUT } from '../../../src/stores/sqlite/expiring-key-layout.ts';
import {
  addMissingKeys,
  addOpenRecordings,
  copyOnce,
  readOpenRecordings,
  SqliteIdempotencyStore,
  SqlitePendingRecordings,
} from '../../../src/stores/sqlite/index.ts';
import { openDatabase } from '../../../src/stores/sqlite/open-database.ts';
import { pendingRecordingsContract, recordingFor } from '../../contracts/pending-recordings.ts';
import { type Folder, makeFolder } from './folder.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'ONCE_CORRUPT', what: 'pending' } as const;
const LONG_MS = 50_000;

function openWith(path: string, limits: PendingLimits, now?: () => number): SqlitePendingRecordings {
  const clock = now && { leaseMs: now, nowMs: now, earliestMs: now };
  return new SqlitePendingRecordings(openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS), limits, clock);
}

pendingRecordingsContract('SqlitePendingRecordings', async (limits) => {
  const folder = await makeFolder();
  const open = async () => openWith(folder.file('once.db'), limits);
  const pending = await open();
  return { pending, open, dispose: () => pending.close().then(folder.remove) };
});

let folder: Folder;
let path = '';
beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('once.db');
});
afterEach(() => folder.remove());

test('a file of the release before gets the table, and keeps what it remembers', async () => {
  const before = new DatabaseSync(path);
  before.exec(EXPIRING_KEY_LAYOUT.schema);
  before.exec('DROP TABLE orders; PRAGMA application_id=0x4543544f; PRAGMA user_version=2');
  before.close();
  const pending = SqlitePendingRecordings.open(path);
  expect(await pending.add(recordingFor('a'), LONG_MS)).toBe('added');
  await pending.close();
  expect(await onceFaults(path, true)).toEqual([]);
});

test('a clock that was set back does not keep a pending recording in hands that may be gone', async () => {
  let now = 1_900_000_000_000;
  const pending = openWith(path, PENDING_LIMITS, () => now);
  await pending.add(recordingFor('a'), 3_000);
  now -= 3_600_000;
  expect(await pending.take(10, 3_000)).toHaveLength(1);
  expect(await pending.take(10, 3_000)).toHaveLength(0);
  now += 3_000;
  expect(await pending.take(10, 3_000)).toHaveLength(1);
  await pending.close();
});

test('what failed long ago is taken out of the file', async () => {
  let now = 1_900_000_000_000;
  const pending = openWith(path, PENDING_LIMITS, () => now);
  await pending.add(recordingFor('a'), 0);
  await pending.failed(recordingFor('a'), reject('TOKEN_EXPIRED', 'over'), 1_000);
  const rows = () => {
    const reader = new DatabaseSync(path, { readOnly: true });
    const { n } = reader.prepare('SELECT count(*) AS n FROM orders').get() as { n: number };
    reader.close();
    return n;
  };
  await pending.take(10, 0);
  expect(rows()).toBe(1);
  now += 1_001;
  await pending.take(10, 0);
  expect(rows()).toBe(0);
  await pending.close();
});

test('C1: why a pending recording failed outlives a jump of the wall clock, and is forgotten by the earliest time that it can be', async () => {
  const clock = { wall: 1_900_000_000_000, now: 1_900_000_000_000, earliest: 1_900_000_000_000 };
  const pending = new SqlitePendingRecordings(openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS), PENDING_LIMITS, {
    leaseMs: () => clock.wall,
    nowMs: () => clock.now,
    earliestMs: () => clock.earliest,
  });
  const failure = reject('DAG_DUPLICATE_TASK', 'Another token is recorded.', { jti: 'a' });
  await pending.add(recordingFor('a'), 0);
  await pending.failed(recordingFor('a'), failure, LONG_MS);
  for (const when of ['wall', 'now'] as const) {
    clock[when] += 3 * LONG_MS;
    await pending.take(10, 0);
    expect(await pending.find(recordingFor('a')), when).toMatchObject({ failure: { reason: 'DAG_DUPLICATE_TASK' } });
  }
  clock.earliest += LONG_MS;
  expect(await pending.find(recordingFor('a'))).toBeUndefined();
  await pending.close();
});

test('pending recordings that come together share a sync of the disk, and the ends of earlier ones go with them', async () => {
  const database = openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS);
  const write = vi.spyOn(database, 'writeDurably');
  const pending = new SqlitePendingRecordings(database);
  const placed = Array.from({ length: 100 }, (_, n) => pending.add(recordingFor(`a ${n}`), LONG_MS));
  expect(new Set(await Promise.all(placed))).toEqual(new Set(['added']));
  expect(write).toHaveBeenCalledTimes(1);
  const ended = Array.from({ length: 100 }, (_, n) => pending.done(recordingFor(`a ${n}`)));
  await pending.add(recordingFor('b'), LONG_MS);
  await Promise.all(ended);
  expect(write).toHaveBeenCalledTimes(2);
  await pending.close();
});

describe('L27: damage of a pending recording is named', () => {
  const damages = [
    ['its token', `UPDATE orders SET token = 'x.y.z'`, 'a digest in orders is not that of its token'],
    ['its task', `UPDATE orders SET jti = 'b'`, 'a key in orders is not that of its task'],
  ] as const;
  test.each(damages)('%s', async (_, sql, fault) => {
    const pending = SqlitePendingRecordings.open(path);
    await pending.add(recordingFor('a'), LONG_MS);
    await pending.close();
    expect(await onceFaults(path, true)).toEqual([]);
    const other = new DatabaseSync(path);
    other.exec(sql);
    other.close();
    expect(await onceFaults(path, true)).toEqual([fault]);
  });
});

test('L19: a backup holds what was open when it began, also what was carried out while it was made', async () => {
  const pending = SqlitePendingRecordings.open(path);
  for (const jti of ['stays', 'carried out']) await pending.add(recordingFor(jti), 0);
  const open = readOpenRecordings(path);
  await pending.done(recordingFor('carried out'));
  await pending.add(recordingFor('later'), 0);
  const backup = folder.file('backup.db');
  await copyOnce(path, backup);
  await pending.close();
  addOpenRecordings(backup, open);
  expect(await onceFaults(backup, true)).toEqual([]);
  const restored = SqlitePendingRecordings.open(backup);
  const taken = await restored.take(10, LONG_MS);
  expect(taken.map(({ jti }) => jti).sort()).toEqual(['carried out', 'later', 'stays']);
  await restored.close();
});

test('a restore carries out what the backup had open, and what has come since', async () => {
  const backup = folder.file('backup.db');
  for (const [file, jtis] of [
    [path, ['since', 'both']],
    [backup, ['both', 'carried out since']],
  ] as const) {
    const pending = SqlitePendingRecordings.open(file);
    for (const jti of jtis) await pending.add(recordingFor(jti), 0);
    await pending.close();
  }
  expect(await addMissingKeys(path, backup)).toBe(1);
  expect(await addMissingKeys(path, backup)).toBe(0);
  const pending = SqlitePendingRecordings.open(path);
  const open = await pending.take(10, LONG_MS);
  expect(open.map(({ jti }) => jti).sort()).toEqual(['both', 'carried out since', 'since']);
  await pending.close();
});

test('request ids and pending recordings work on one file at the same time', async () => {
  const memo = SqliteIdempotencyStore.open(path);
  const pending = SqlitePendingRecordings.open(path);
  const issued = { requestDigest: new Uint8Array(32), token: 'token' };
  const turns = Array.from({ length: 100 }, async (_, n) => [
    await memo.remember('ada', `${n}`, issued, 20, 10),
    await pending.add(recordingFor(`${n}`), LONG_MS),
  ]);
  expect(await Promise.all(turns)).toEqual(Array.from({ length: 100 }, () => [issued, 'added']));
  await Promise.all([memo.close(), pending.close()]);
});
