// Files of an open ledger that are deleted or replaced: what is written then would not be found by the next start.

import { once } from 'node:events';
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { type Folder, makeFolder } from './folder.ts';

let folder: Folder;
let path: string;

beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('ledger.db');
});
afterEach(() => folder.remove());

async function openStore(): Promise<SqliteLedgerStore> {
  const store = SqliteLedgerStore.open(path);
  await store.initialise(EMPTY_HEAD, 'test+key');
  await store.commit([candidate('a')], honestSeal());
  return store;
}

const ENDS = ['', '-wal', '-shm'] as const;

describe.each(ENDS)('L25 ledger.db%s', (end) => {
  const rejected = expect.objectContaining({
    reason: 'LEDGER_UNAVAILABLE',
    message: expect.stringContaining(`ledger.db${end} was deleted or replaced`),
  });

  test.each([
    ['deleted', () => rmSync(path + end)],
    [
      'replaced by a copy',
      () => {
        cpSync(path + end, `${path}.copy`);
        renameSync(`${path}.copy`, path + end);
      },
    ],
  ])('%s in the middle of a commit: it is not acknowledged, and nothing after it is', async (_, damage) => {
    const store = await openStore();
    const seal = honestSeal();
    const commit = store.commit([candidate('b')], (head, fresh) => {
      damage();
      return seal(head, fresh);
    });
    await expect(commit).rejects.toEqual(rejected);
    await expect(store.commit([candidate('c')], honestSeal())).rejects.toEqual(rejected);
    expect(store.replacedFile()).toBe(`ledger.db${end}`);
    // What the rejected commit wrote is not shown either; what was shown before still is.
    await expect(store.head()).rejects.toEqual(rejected);
    expect(await store.at(0)).toMatchObject({ name: 'a' });
    await store.close();
  });

  test('deleted before a commit: nothing is written, so that everything before it can still be read', async () => {
    const store = await openStore();
    rmSync(path + end);
    await expect(store.commit([candidate('b')], honestSeal())).rejects.toEqual(rejected);
    expect((await store.head())?.size).toBe(1);
    await store.close();
  });

  test('moved away and back: it goes on', async () => {
    const store = await openStore();
    renameSync(path + end, `${path}.away`);
    await expect(store.commit([candidate('b')], honestSeal())).rejects.toEqual(rejected);
    renameSync(`${path}.away`, path + end);
    expect((await store.commit([candidate('b')], honestSeal())).head.size).toBe(2);
    expect(store.replacedFile()).toBeUndefined();
    await store.close();
  });
});

test('L25 the thread that moves pages makes no file in the place of one that is gone', async () => {
  const thread = new Worker(new URL('../../../src/stores/sqlite/backfill-thread.ts', import.meta.url));
  thread.postMessage({ file: path, isWhole: true });
  expect(await once(thread, 'message')).toMatchObject([{ file: path, failure: { errcode: 14 } }]);
  expect(existsSync(path)).toBe(false);
  await thread.terminate();
});
