// What a store that is known to be damaged still answers. What is found can be proven; that something is not there cannot.

import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../src/ledger/index.ts';
import { GuardedLedgerStore } from '../../src/stores/guarded-ledger-store.ts';
import { SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { candidateOf } from '../support/candidates.ts';
import { type Folder, makeFolder } from './sqlite/folder.ts';

const ENTRIES = 5;

let folder: Folder;
let store: GuardedLedgerStore;
let isFound: boolean;
let faults: string[];

beforeEach(async () => {
  folder = await makeFolder();
  [isFound, faults] = [false, []];
  const damage = { isFound: () => isFound, found: ({ fault }: { fault: string }) => void faults.push(fault) };
  store = new GuardedLedgerStore(SqliteLedgerStore.open(folder.file('ledger.db')), damage);
  const ledger = await Ledger.open({ store, key: openLedgerKey(generateLedgerKey('a.example/b')), nowMs: Date.now });
  for (let entry = 0; entry < ENTRIES; entry++) await ledger.append(candidateOf(`${entry}`, 'x', entry < 3 ? 'w' : ''));
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const page = { startIndex: 0, limit: 10, withContent: false };

describe('L7 L27 that something is not there is a fact, but not where damage is known', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a name', () => store.find('w', 'none')],
    ['one name of several', () => store.lookUp('w', ['0', 'none'], 'scope')],
    ['a name near by, of which another is found farther away', () => store.lookUp('w', ['3'], 'nearest')],
    ['further entries of a scope', () => store.list({ ...page, scope: 'w' })],
    ['further entries of an author', () => store.list({ ...page, author: 'urn:test' })],
    ['further entries since a time', () => store.list({ ...page, fromMs: 0 })],
    ['further entries before a time', () => store.list({ ...page, beforeMs: Date.now() + 60_000 })],
  ])('%s', async (_, ask) => {
    await ask();
    isFound = true;
    await expect(ask()).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
  });
});

test('what is found is answered all the same, and where the ledger ends', async () => {
  isFound = true;
  expect(store.isDamaged()).toBe(true);
  expect(await store.find('w', '1')).toMatchObject({ index: 1 });
  expect(await store.lookUp('w', ['2', '0'], 'nearest')).toMatchObject([{ index: 2 }, { index: 0 }]);
  expect(await store.at(4)).toMatchObject({ name: '4' });
  expect(await store.at(ENTRIES)).toBeUndefined();
  expect((await store.list(page)).map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
  expect((await store.list({ ...page, startIndex: 2, limit: 2 })).map(({ index }) => index)).toEqual([2, 3]);
  expect(await store.list({ ...page, startIndex: ENTRIES })).toEqual([]);
  const backwards = async (query: object) =>
    (await store.list({ ...page, newestFirst: true, ...query })).map(({ index }) => index);
  expect(await backwards({})).toEqual([4, 3, 2, 1, 0]);
  expect(await backwards({ endIndex: 3, limit: 2 })).toEqual([2, 1]);
  expect(await backwards({ endIndex: 99, startIndex: 3 })).toEqual([4, 3]);
  expect(await backwards({ endIndex: 2, startIndex: 2 })).toEqual([]);
  expect(faults).toEqual([]);
});

describe('a list of all entries shows what is missing from it, and where', () => {
  const remove = (condition: string) => {
    const database = new DatabaseSync(folder.file('ledger.db'));
    database.exec(`DROP TRIGGER entries_stay; DELETE FROM entries WHERE ${condition}`);
    database.close();
  };
  const missing = (index: number) => ({ reason: 'LEDGER_CORRUPT', metadata: { index: String(index) } });

  test.each([
    ['in the middle', 'idx = 2', 2],
    ['at the beginning', 'idx = 0', 0],
  ])('%s: that is how damage comes to be known', async (_, condition, index) => {
    remove(condition);
    await expect(store.list(page)).rejects.toMatchObject(missing(index));
    expect(faults).toEqual([`Entry ${index} is damaged: it is not found by its index.`]);
  });

  test.each([
    ['in the middle', 'idx = 2', 2],
    ['at the beginning', 'idx = 0', 0],
  ])('%s, from the newest to the oldest', async (_, condition, index) => {
    remove(condition);
    await expect(store.list({ ...page, newestFirst: true })).rejects.toMatchObject(missing(index));
  });

  test('H45 a page that is asked for from beyond the end is no damage', async () => {
    expect(await store.list({ ...page, newestFirst: true, endIndex: 99, limit: 2 })).toHaveLength(2);
    expect(await store.list({ ...page, newestFirst: true, endIndex: 99, startIndex: 50 })).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('at the end, once damage is known', async () => {
    isFound = true;
    remove('idx = 4');
    await expect(store.list(page)).rejects.toMatchObject(missing(4));
    await expect(store.list({ ...page, newestFirst: true, limit: 1 })).rejects.toMatchObject(missing(4));
    await expect(store.list({ ...page, newestFirst: true, endIndex: 4 })).resolves.toHaveLength(4);
    await expect(store.list({ ...page, limit: 4 })).resolves.toHaveLength(4);
  });
});
