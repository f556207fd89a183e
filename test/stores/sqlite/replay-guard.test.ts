// The replay guard in SQLite: the contract, and what only a file can do.

import { readFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expiringKey, useKey } from '../../../src/stores/expiring-keys.ts';
import { SqliteIdempotencyStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';
import { replayGuardContract, tokenUse } from '../../contracts/replay-guard.ts';
import { SOON } from '../../support/soon.ts';
import { outputOf, startChild } from './child.ts';
import { type Folder, makeFolder } from './folder.ts';

replayGuardContract('SqliteReplayGuard', async () => {
  const folder = await makeFolder();
  const open = async () => SqliteReplayGuard.open(folder.file('once.db'));
  const guard = await open();
  return { guard, open, dispose: () => guard.close().then(folder.remove) };
});

const NOW = 1_000;
const END = 2_000;

let folder: Folder;
let path: string;

beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('once.db');
});
afterEach(() => folder.remove());

/** How many transactions the write-ahead file holds: frames that name the size of the database end one. */
async function transactionsIn(walPath: string): Promise<number> {
  const wal = await readFile(walPath);
  const frameBytes = 24 + wal.readUInt32BE(8);
  let count = 0;
  for (let at = 32; at + frameBytes <= wal.length; at += frameBytes) if (wal.readUInt32BE(at + 4) !== 0) count++;
  return count;
}

test('claims of one turn of the event loop share one transaction, and are answered after it', async () => {
  const guard = SqliteReplayGuard.open(path);
  await guard.claim(tokenUse({ jti: 'first' }), END, NOW);
  const before = await transactionsIn(`${path}-wal`);
  const claims = Array.from({ length: 64 }, (_, n) => guard.claim(tokenUse({ jti: `${n}` }), END, NOW));
  expect(await Promise.race(claims)).toBe('fresh');
  const other = new DatabaseSync(path);
  expect(other.prepare('SELECT count(*) AS n FROM uses').get()).toEqual({ n: 65 });
  other.close();
  await Promise.all(claims);
  expect(await transactionsIn(`${path}-wal`)).toBe(before + 1);
  await guard.close();
});

test('R2: of three processes that claim the same tokens at once each token is fresh for one', async () => {
  const children = Array.from({ length: 3 }, () => startChild('claim-child.ts', [path, '500']));
  const fresh = (await Promise.all(children.map(outputOf))).flat();
  expect(fresh).toHaveLength(500);
  expect(new Set(fresh).size).toBe(500);
});

test('what is over is removed from the file, a bounded number with each claim', async () => {
  const guard = SqliteReplayGuard.open(path);
  await Promise.all(Array.from({ length: 100 }, (_, n) => guard.claim(tokenUse({ jti: `${n}` }), NOW, NOW)));
  const other = new DatabaseSync(path);
  const rows = () => Number(other.prepare('SELECT count(*) AS n FROM uses').get()?.['n']);
  expect(rows()).toBe(100);
  await guard.claim(tokenUse({ jti: 'a' }), END, NOW + 1);
  const afterOne = rows();
  expect(afterOne).toBeGreaterThan(90);
  expect(afterOne).toBeLessThan(100);
  for (let n = 0; n < 50; n++) await guard.claim(tokenUse({ jti: `later ${n}` }), END, NOW + 1);
  expect(rows()).toBe(51);
  other.close();
  await guard.close();
});

describe('a file of the first layout', () => {
  /** As the release before wrote it: one text a row. */
  function writeFirstLayout(): void {
    const old = new DatabaseSync(path);
    for (const table of ['uses', 'issued']) {
      old.exec(`CREATE TABLE ${table} (key BLOB PRIMARY KEY CHECK (length(key) = 32), digest BLOB NOT NULL,
        text TEXT NOT NULL, keep_until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX ${table}_by_end ON ${table} (keep_until)`);
    }
    const use = tokenUse({ requestId: 'call 1' });
    old.prepare('INSERT INTO uses VALUES (?, ?, ?, ?)').run(useKey(use), use.digest, use.requestId, END);
    old.prepare('INSERT INTO issued VALUES (?, ?, ?, ?)').run(expiringKey('caller', 'key'), use.digest, 'a.b.c', END);
    old.exec('PRAGMA application_id=0x4543544f; PRAGMA user_version=1');
    old.close();
  }

  test('R8: is carried on: what it remembers is remembered, what it never kept is empty', async () => {
    writeFirstLayout();
    const guard = SqliteReplayGuard.open(path);
    expect(await guard.claim(tokenUse(), END, NOW)).toBe('replayed');
    expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('repeated');
    expect(await guard.claim(tokenUse({ content: 'other' }), END, NOW)).toEqual({ firstSigningInput: '' });
    expect(await guard.claim(tokenUse({ jti: 'new', content: 'one' }), END, NOW)).toBe('fresh');
    expect(await guard.claim(tokenUse({ jti: 'new' }), END, NOW)).toEqual({ firstSigningInput: 'one' });
    await guard.close();
    const memo = SqliteIdempotencyStore.open(path);
    expect(await memo.findIssued('caller', 'key', NOW)).toMatchObject({ token: 'a.b.c' });
    await memo.close();
  });

  test('is carried on once, however many processes open it at the same time', async () => {
    writeFirstLayout();
    const children = Array.from({ length: 4 }, () => startChild('claim-child.ts', [path, '1']));
    expect((await Promise.all(children.map(outputOf))).flat()).toEqual(['0 fresh']);
  });
});

test('a storage failure is REPLAY_GUARD_UNAVAILABLE for every claim of the group, never a guess', async () => {
  const guard = SqliteReplayGuard.open(path);
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const claims = ['a', 'b', 'c'].map((jti) => guard.claim(tokenUse({ jti }), END, NOW));
  for (const claim of await Promise.allSettled(claims)) {
    expect(claim).toMatchObject({ status: 'rejected', reason: { reason: 'REPLAY_GUARD_UNAVAILABLE' } });
  }
  other.exec('ROLLBACK');
  expect(await guard.claim(tokenUse({ jti: 'a' }), END, NOW)).toBe('fresh');
  other.exec('DROP TABLE uses');
  other.close();
  const claim = guard.claim(tokenUse({ jti: 'z' }), END, NOW);
  await expect(claim).rejects.toMatchObject({ reason: 'ONCE_CORRUPT' });
  await guard.close();
});

test('H27: uses whose time is over go also where nobody claims, and the file gives their space back', async () => {
  const guard = SqliteReplayGuard.open(path);
  for (let start = 0; start < 2_500; start += 250) {
    const claims = Array.from({ length: 250 }, (_, at) =>
      guard.claim({ ...tokenUse({ requestId: '' }), jti: `${start + at}`, signingInput: 'x'.repeat(10_000) }, END, NOW),
    );
    await Promise.all(claims);
  }
  const file = new DatabaseSync(path, { readOnly: true });
  const numberIn = (sql: string) => Number(Object.values(file.prepare(sql).get() ?? {})[0]);
  const before = numberIn('PRAGMA page_count');
  expect(numberIn('SELECT count(*) FROM uses')).toBe(2_500);
  // Somebody asks about something else, an hour after the end of all of them.
  expect(await guard.look(tokenUse({ requestId: '' }), END + 3600)).toBe('fresh');
  await expect.poll(() => numberIn('SELECT count(*) FROM uses'), SOON).toBe(0);
  await expect.poll(() => numberIn('PRAGMA page_count'), SOON).toBeLessThan(before * 0.7);
  file.close();
  await guard.close();
});

test('C4 the sweep uses the clock of the service: times from before it was set back delete nothing', async () => {
  let now = END + 10;
  let looks = 0;
  const earliest = () => {
    looks++;
    return now;
  };
  const guard = SqliteReplayGuard.open(path, earliest);
  try {
    now = NOW;
    expect(await guard.claim(tokenUse({ jti: 'used' }), END, NOW)).toBe('fresh');
    // A second more, and the time of the use would be over.
    await guard.look(tokenUse({ jti: 'other' }), END);
    const before = looks;
    await expect.poll(() => looks - before, SOON).toBeGreaterThanOrEqual(3);
    expect(await guard.claim(tokenUse({ jti: 'used' }), END, NOW)).toBe('replayed');
    now = END + 1;
    const rows = () => {
      using database = new DatabaseSync(path, { readOnly: true });
      return database.prepare('SELECT count(*) AS n FROM uses').get()?.['n'];
    };
    await expect.poll(rows, SOON).toBe(0);
  } finally {
    await guard.close();
  }
});
