// Pages leave the write-ahead file while the service goes on, so the file stays small, and nothing is lost on the way.

import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';
import { LEDGER_LAYOUT } from '../../../src/stores/sqlite/ledger-layout.ts';
import { openDatabase } from '../../../src/stores/sqlite/open-database.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { SOON } from '../../support/soon.ts';
import { outputOf, startChild } from './child.ts';
import { type Folder, makeFolder } from './folder.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;
const MIB = 2 ** 20;

let folder: Folder;
let path: string;

beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('ledger.db');
});
afterEach(() => folder.remove());

async function started() {
  const database = openDatabase(path, LEDGER_LAYOUT, REASONS);
  const store = new SqliteLedgerStore(database);
  await store.initialise(EMPTY_HEAD, 'test+key');
  const state = database.connection.prepare('PRAGMA wal_checkpoint(NOOP)');
  const waiting = () => {
    const { log, checkpointed } = state.get() as { log: number; checkpointed: number };
    return log - checkpointed;
  };
  return { store, waiting };
}

/** Adds an entry with a megabyte of content. */
function addLarge(store: SqliteLedgerStore, name: string) {
  return store.commit([candidate(name, { content: name.padEnd(MIB) })], honestSeal());
}

test('pages that wait are moved into the main file, by no commit', async () => {
  const { store, waiting } = await started();
  for (let n = 0; n < 15; n++) await addLarge(store, `${n}`);
  expect(waiting()).toBeGreaterThan(3_500);
  const before = (await stat(path)).size;
  for (let n = 15; n < 18; n++) await addLarge(store, `${n}`);
  await vi.waitFor(() => expect(waiting()).toBeLessThan(1_000), SOON);
  expect((await stat(path)).size).toBeGreaterThan(before + 10 * MIB);
  expect(await checkStore(store)).toHaveLength(18);
  await store.close();
});

test('under writers that never rest the write-ahead file begins anew', async () => {
  const { store } = await started();
  for (let n = 0; n < 200; n++) await addLarge(store, `${n}`);
  expect((await stat(`${path}-wal`)).size).toBeLessThan(150 * MIB);
  expect(await checkStore(store)).toHaveLength(200);
  await store.close();
});

test('a file is closed when its pages are at rest: the main file has them all, and stands alone', async () => {
  const { store } = await started();
  const many = Array.from({ length: 20 }, (_, n) => candidate(`${n}`, { content: 'x'.repeat(MIB) }));
  await store.commit(many, honestSeal());
  await store.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  const again = SqliteLedgerStore.openReadOnly(path);
  expect(await checkStore(again)).toHaveLength(20);
  await again.close();
});

test('L17: a close waits for pages that are being moved, also where nothing else keeps the process alive', async () => {
  expect(await outputOf(startChild('close-child.ts', [path]))).toEqual(['closed']);
});
