// The ledger in SQLite: the contract, and what only a file can do.

import { open, readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';
import { LEDGER_LAYOUT } from '../../../src/stores/sqlite/ledger-layout.ts';
import { openDatabase } from '../../../src/stores/sqlite/open-database.ts';
import { ledgerStoreContract } from '../../contracts/ledger-store.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { outputOf, startChild } from './child.ts';
import { type Folder, makeFolder } from './folder.ts';

ledgerStoreContract('SqliteLedgerStore', async () => {
  const folder = await makeFolder();
  const open = async () => SqliteLedgerStore.open(folder.file('ledger.db'));
  const store = await open();
  return { store, open, dispose: () => store.close().then(folder.remove) };
});

let folder: Folder;
let path: string;

beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('ledger.db');
});
afterEach(() => folder.remove());

async function startedLedger(entries = 0): Promise<SqliteLedgerStore> {
  const store = SqliteLedgerStore.open(path);
  await store.initialise(EMPTY_HEAD, 'test+key');
  const names = Array.from({ length: entries }, (_, n) => candidate(`task ${n}`));
  await store.commit(names, honestSeal());
  return store;
}

describe('several processes', () => {
  test('L10: processes that write one file never fork the tree, and add every name once', async () => {
    const children = ['ada', 'grace', 'mary'].map((who) => startChild('commit-child.ts', [path, who, '100']));
    const added = (await Promise.all(children.map(outputOf))).flat();
    expect(added).toHaveLength(400);
    const store = SqliteLedgerStore.open(path);
    const records = await checkStore(store);
    expect(records.map(({ index, name }) => `${index} ${name}`).sort()).toEqual([...added].sort());
    await store.close();
  });

  test('L1: an acknowledged commit is there after the process was killed, and the ledger goes on', async () => {
    for (let round = 0; round < 3; round++) {
      const child = startChild('commit-child.ts', [path, `killed ${round}`, '1000000']);
      const reported: string[] = [];
      for await (const line of child.lines) {
        reported.push(line);
        if (reported.length === 40 + 13 * round) child.kill();
      }
      expect(await child.ended()).toBe('SIGKILL');
      const store = SqliteLedgerStore.open(path);
      const records = await checkStore(store);
      expect(records.map(({ index, name }) => `${index} ${name}`)).toEqual(expect.arrayContaining(reported));
      const { placements } = await store.commit([candidate(`after ${round}`)], honestSeal());
      expect(placements[0]).toMatchObject({ added: true, record: { index: records.length } });
      await store.close();
    }
  });

  test('a reader sees one state at a time while another process writes, and can write nothing', async () => {
    await (await startedLedger(3)).close();
    const child = startChild('commit-child.ts', [path, 'writer', '1000000']);
    const lines = child.lines[Symbol.asyncIterator]();
    await lines.next();
    const reader = SqliteLedgerStore.openReadOnly(path);
    const head = await reader.head();
    const records = await reader.list({ startIndex: 0, limit: head!.size, withContent: true });
    expect(records).toHaveLength(head!.size);
    expect(head!.size).toBeGreaterThan(3);
    await expect(reader.commit([candidate('mine')], honestSeal())).rejects.toMatchObject({
      reason: 'LEDGER_UNAVAILABLE',
    });
    await reader.close();
    child.kill();
    await child.ended();
  });

  test('a writer that waits longer than its time for another process answers LEDGER_UNAVAILABLE, then goes on', async () => {
    const store = await startedLedger();
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(store.commit([candidate('a')], honestSeal())).rejects.toMatchObject({
      reason: 'LEDGER_UNAVAILABLE',
      message: 'The ledger (ledger.db) is locked by another process.',
    });
    other.exec('ROLLBACK');
    other.close();
    expect((await store.commit([candidate('a')], honestSeal())).placements[0]?.added).toBe(true);
    await store.close();
  });
});

describe('disk full', () => {
  test('L15: writes answer STORAGE_FULL, reads go on, and with new space writes go on too', async () => {
    const database = openDatabase(path, LEDGER_LAYOUT, {
      unavailable: 'LEDGER_UNAVAILABLE',
      corrupt: 'LEDGER_CORRUPT',
      what: 'ledger',
    });
    const store = new SqliteLedgerStore(database);
    await store.initialise(EMPTY_HEAD, 'test+key');
    await store.commit([candidate('a')], honestSeal());
    database.connection.exec('PRAGMA max_page_count=30');
    const large = candidate('large', { content: 'x'.repeat(500_000) });
    await expect(store.commit([candidate('b'), large], honestSeal())).rejects.toMatchObject({
      reason: 'STORAGE_FULL',
      message: 'There is no space left on the disk of the ledger (ledger.db).',
    });
    expect(await checkStore(store)).toHaveLength(1);
    database.connection.exec('PRAGMA max_page_count=100000');
    await store.commit([candidate('b'), large], honestSeal());
    expect(await checkStore(store)).toHaveLength(3);
    await store.close();
  });

  test('L2: after a write that failed on the disk nothing more is written until the file is opened anew', async () => {
    const lines = await outputOf(startChild('full-child.ts', [path], 400));
    const committed = lines.filter((line) => line.startsWith('committed')).length;
    expect(committed).toBeGreaterThan(0);
    expect(lines.slice(committed)).toEqual([
      'rejected LEDGER_UNAVAILABLE: The disk failed under the ledger (ledger.db).',
      'rejected LEDGER_UNAVAILABLE: The ledger takes no writes since the disk failed: it goes on when the disk answers.',
      `reads ${committed} 5000`,
    ]);
    const store = SqliteLedgerStore.open(path);
    const records = await checkStore(store);
    // The commit that failed may have reached the disk whole, or not at all.
    expect([committed, committed + 1]).toContain(records.length);
    await store.commit([candidate('after')], honestSeal());
    await checkStore(store);
    await store.close();
  });
});

describe('erasing and changing', () => {
  const forbidden = [
    "UPDATE entries SET name = 'other' WHERE idx = 1",
    "UPDATE entries SET scope = 'other' WHERE idx = 1",
    "UPDATE entries SET author = 'other' WHERE idx = 1",
    'UPDATE entries SET recorded_at = 0 WHERE idx = 1',
    "UPDATE entries SET digest = x'00' WHERE idx = 1",
    "UPDATE entries SET leaf = x'00' WHERE idx = 1",
    'UPDATE entries SET idx = 9 WHERE idx = 1',
    "UPDATE entries SET content = x'00' WHERE idx = 1",
    'UPDATE entries SET content = NULL WHERE idx = 1',
    'UPDATE entries SET salt = NULL WHERE idx = 1',
    'DELETE FROM entries WHERE idx = 2',
    "INSERT INTO entries SELECT 9, '', 'new', '', 0, digest, leaf, nodes, salt, content, provenance FROM entries WHERE idx = 1",
    "INSERT OR REPLACE INTO entries SELECT 1, '', 'new', '', 0, digest, leaf, nodes, salt, content, provenance FROM entries WHERE idx = 1",
    'UPDATE entries SET nodes = zeroblob(32) WHERE idx = 1',
    'UPDATE head SET size = 2',
    'DELETE FROM head',
    "UPDATE identity SET verifier_key = 'other'",
    'DELETE FROM identity',
  ];
  test.each(forbidden)('L22: the file rejects %s', async (sql) => {
    const store = await startedLedger(3);
    const before = await checkStore(store);
    const other = new DatabaseSync(path);
    expect(() => other.exec(sql)).toThrow(expect.objectContaining({ errcode: 1811 }));
    other.close();
    expect(await checkStore(store)).toEqual(before);
    await store.close();
  });

  test('L22: an entry cannot be replaced by another of the same name', async () => {
    const store = await startedLedger(3);
    const other = openDatabase(path, LEDGER_LAYOUT, {
      unavailable: 'LEDGER_UNAVAILABLE',
      corrupt: 'LEDGER_CORRUPT',
      what: 'ledger',
    });
    const sql = `INSERT OR REPLACE INTO entries SELECT 3, '', name, '', 0, digest, leaf, nodes, salt, content, provenance FROM entries WHERE idx = 1`;
    expect(() => other.connection.exec(sql)).toThrow('entries are never deleted');
    other.close();
    expect(await checkStore(store)).toHaveLength(3);
    await store.close();
  });

  test('content and salt can be erased together; the tree stays whole', async () => {
    const store = await startedLedger(3);
    const other = new DatabaseSync(path);
    other.exec('UPDATE entries SET content = NULL, salt = NULL WHERE idx = 1');
    other.close();
    expect(await store.at(1)).toMatchObject({ name: 'task 1', content: null, salt: null });
    expect(await checkStore(store)).toHaveLength(3);
    await store.close();
  });
});

describe('damage', () => {
  const torn = {
    'a head of another size': 'UPDATE head SET size = 6',
    'a head whose frontier is cut': "UPDATE head SET frontier = x'00'",
    'the last entry dropped': 'DROP TRIGGER entries_stay; DELETE FROM entries WHERE idx = 4',
    'a table dropped': 'DROP TABLE identity',
    'a column dropped':
      'DROP INDEX entries_by_author; DROP TRIGGER entries_never_change; ALTER TABLE entries DROP COLUMN author',
  };
  test.each(Object.entries(torn))('L7: opening a ledger with %s is LEDGER_CORRUPT', async (_, sql) => {
    await (await startedLedger(5)).close();
    const other = new DatabaseSync(path);
    other.exec(sql);
    other.close();
    for (const open of [SqliteLedgerStore.open, SqliteLedgerStore.openReadOnly]) {
      expect(() => open(path)).toThrow(expect.objectContaining({ reason: 'LEDGER_CORRUPT' }));
    }
  });

  test('a missing entry or node is LEDGER_CORRUPT when a read needs it', async () => {
    const store = await startedLedger(5);
    const other = new DatabaseSync(path);
    other.exec('DROP TRIGGER entries_stay; DELETE FROM entries WHERE idx = 2');
    other.exec('DROP TRIGGER entries_never_change; UPDATE entries SET nodes = zeroblob(33) WHERE idx = 3');
    other.close();
    const corrupt = { reason: 'LEDGER_CORRUPT' };
    await expect(store.at(2)).rejects.toMatchObject(corrupt);
    await expect(store.list({ startIndex: 0, limit: 1, fromMs: 5, withContent: false })).rejects.toMatchObject(corrupt);
    await expect(store.nodes([{ level: 0, index: 2 }])).rejects.toMatchObject(corrupt);
    await expect(store.nodes([{ level: 1, index: 1 }])).rejects.toMatchObject(corrupt);
    await store.close();
  });

  test('a file that is no database is LEDGER_CORRUPT, and is left as it is', async () => {
    const text = 'This is not a database. '.repeat(100);
    await writeFile(path, text);
    for (const open of [SqliteLedgerStore.open, SqliteLedgerStore.openReadOnly]) {
      expect(() => open(path)).toThrow(expect.objectContaining({ reason: 'LEDGER_CORRUPT' }));
    }
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  test('pages overwritten under a running service are LEDGER_CORRUPT, and nothing is written after', async () => {
    const names = Array.from({ length: 3_000 }, (_, n) => candidate(`task ${n}`, { content: 'x'.repeat(900) }));
    const first = await startedLedger();
    await first.commit(names, honestSeal());
    await first.close();
    const store = SqliteLedgerStore.open(path);
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    const noise = Buffer.alloc(4_096, 0xa5);
    // The first two pages hold the schema, which is in the cache; all others go.
    for (let at = 2 * 4_096; at < size; at += 4_096) await file.write(noise, 0, 4_096, at);
    await file.close();
    const all = { startIndex: 0, limit: 3_000, withContent: true };
    await expect(store.list(all)).rejects.toMatchObject({
      reason: 'LEDGER_CORRUPT',
      message: 'The ledger (ledger.db) is damaged: restore it from a backup.',
    });
    await expect(store.commit([candidate('new')], honestSeal())).rejects.toMatchObject({
      reason: 'LEDGER_UNAVAILABLE',
      message:
        'The ledger takes no writes since it was found damaged: it goes on when an examination has found nothing.',
    });
    await store.close();
  });
});
