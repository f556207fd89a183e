// What is answered is on the disk: the order of commits, syncs and answers, and a power failure at every moment.

import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Backfill } from '../../../src/stores/sqlite/backfill.ts';
import { SqliteDatabase } from '../../../src/stores/sqlite/database.ts';
import { EXPIRING_KEY_LAYOUT } from '../../../src/stores/sqlite/expiring-key-layout.ts';
import { ExpiringKeyTable } from '../../../src/stores/sqlite/expiring-key-table.ts';
import type { FileReasons } from '../../../src/stores/sqlite/failures.ts';
import { SqliteLedgerStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';
import { LEDGER_LAYOUT } from '../../../src/stores/sqlite/ledger-layout.ts';
import { openDatabase } from '../../../src/stores/sqlite/open-database.ts';
import { WriteAheadFile } from '../../../src/stores/sqlite/write-ahead-file.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { SOON } from '../../support/soon.ts';
import { type Folder, makeFolder } from './folder.ts';

const LEDGER = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;
const GUARD = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'REPLAY_GUARD_UNAVAILABLE',
  what: 'replay guard',
} as const;

let folder: Folder;
let path: string;

beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('store.db');
});
afterEach(() => folder.remove());

/** A file whose syncs do what `sync` does. */
function databaseWith(
  sync: () => Promise<void>,
  layout = LEDGER_LAYOUT,
  reasons: FileReasons = LEDGER,
): SqliteDatabase {
  const { connection } = openDatabase(path, layout, reasons);
  return new SqliteDatabase(connection, reasons, {
    disk: { sync, close: () => undefined },
    backfill: new Backfill(path, connection),
  });
}

/** A disk that confirms nothing before `release`. */
function heldDisk() {
  let isHeld = false;
  const waiting: (() => void)[] = [];
  return {
    hold: () => {
      isHeld = true;
    },
    release: () => {
      isHeld = false;
      for (const confirm of waiting.splice(0)) confirm();
    },
    sync: () => (isHeld ? new Promise<void>((resolve) => waiting.push(resolve)) : Promise.resolve()),
    asked: () => waiting.length,
  };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open');
  const turn = new Promise((resolve) => setTimeout(resolve, 5, open));
  return (await Promise.race([promise, turn])) === open;
}

describe('L4: an answer is never sooner than the disk', () => {
  test('an entry that is committed is neither acknowledged nor shown before it is on the disk', async () => {
    const disk = heldDisk();
    const store = new SqliteLedgerStore(databaseWith(disk.sync));
    await store.initialise(EMPTY_HEAD, 'test+key');
    await store.commit([candidate('a')], honestSeal());

    disk.hold();
    const answers = [store.commit([candidate('b')], honestSeal())] as Promise<unknown>[];
    await vi.waitFor(() => expect(disk.asked()).toBe(1), SOON);
    answers.push(store.head(), store.at(1), store.find('', 'b'), store.lookUp('', ['b'], 'nearest'));
    answers.push(store.list({ startIndex: 0, limit: 9, withContent: false }));
    for (const answer of answers) expect(await isPending(answer)).toBe(true);
    // What was durable before is shown meanwhile.
    expect(await store.at(0)).toMatchObject({ name: 'a' });
    expect(await store.find('', 'a')).toMatchObject({ index: 0 });
    expect(await store.find('', 'c')).toBeUndefined();

    disk.release();
    await Promise.all(answers);
    expect(await store.head()).toMatchObject({ size: 2 });
    await store.close();
  });

  test('what another process is committing is brought to the disk before it is shown', async () => {
    const theirs = heldDisk();
    const other = new SqliteLedgerStore(databaseWith(theirs.sync));
    await other.initialise(EMPTY_HEAD, 'test+key');
    const sync = vi.fn(() => Promise.resolve());
    const store = new SqliteLedgerStore(databaseWith(sync));
    await store.head();
    sync.mockClear();

    theirs.hold();
    const theirCommit = other.commit([candidate('theirs')], honestSeal());
    await vi.waitFor(() => expect(theirs.asked()).toBe(1), SOON);
    expect(await store.head()).toMatchObject({ size: 1 });
    expect(sync).toHaveBeenCalledTimes(1);
    // Known to be durable now: asking again costs nothing.
    await store.head();
    expect(await store.at(0)).toMatchObject({ name: 'theirs' });
    expect(sync).toHaveBeenCalledTimes(1);

    theirs.release();
    await theirCommit;
    await other.close();
    await store.close();
  });

  test('a ledger that is opened syncs what a process that died may have left, before it shows it', async () => {
    const dead = databaseWith(() => new Promise(() => undefined));
    const unheard = new SqliteLedgerStore(dead).initialise(EMPTY_HEAD, 'test+key');
    expect(await isPending(unheard)).toBe(true);
    const sync = vi.fn(() => Promise.resolve());
    const store = new SqliteLedgerStore(databaseWith(sync));
    expect(await store.head()).toMatchObject({ size: 0 });
    expect(sync).toHaveBeenCalledTimes(1);
    await store.close();
    dead.close();
  });

  test('a use of a token counts when it is on the disk', async () => {
    const disk = heldDisk();
    const guard = new SqliteReplayGuard(
      new ExpiringKeyTable(databaseWith(disk.sync, EXPIRING_KEY_LAYOUT, GUARD), 'uses'),
    );
    disk.hold();
    const claim = guard.claim(tokenUse(), 2_000, 1_000);
    await vi.waitFor(() => expect(disk.asked()).toBe(1), SOON);
    expect(await isPending(claim)).toBe(true);
    const look = guard.look(tokenUse(), 1_000);
    expect(await isPending(look)).toBe(true);
    disk.release();
    expect(await claim).toBe('fresh');
    expect(await look).not.toBe('fresh');
    await guard.close();
  });
});

test('L1 L4: a power failure at any moment takes back nothing that was answered or shown', async () => {
  // What a sync has confirmed is all that a power failure leaves for sure.
  const afterPowerFailure: string[] = [];
  let syncs = 0;
  const snapshot = async () => {
    const copy = folder.file(`${syncs++}/store.db`);
    await mkdir(folder.file(String(syncs - 1)));
    await copyFile(path, copy);
    await copyFile(`${path}-wal`, `${copy}-wal`);
    afterPowerFailure.push(copy);
  };
  const store = new SqliteLedgerStore(databaseWith(snapshot));
  const promised: { readonly size: number; readonly at: string }[] = [];
  const promise = (size: number) => promised.push({ size, at: afterPowerFailure.at(-1)! });
  await store.initialise(EMPTY_HEAD, 'test+key');
  for (let round = 0; round < 12; round++) {
    const commit = store.commit([candidate(`${round} a`), candidate(`${round} b`)], honestSeal());
    const shown = store.head().then((head) => promise(head!.size));
    promise((await commit).head.size);
    await shown;
  }
  await store.close();
  expect(promised).toHaveLength(24);
  for (const { size, at } of promised) {
    const left = SqliteLedgerStore.open(at);
    expect((await checkStore(left)).length).toBeGreaterThanOrEqual(size);
    await left.close();
  }
});

describe('L2: after a sync that failed', () => {
  test('the outcome is open, nothing more is written, and what may be lost is not shown', async () => {
    let isBroken = false;
    const sync = vi.fn(() => (isBroken ? Promise.reject(new Error('EIO: i/o error, fdatasync')) : Promise.resolve()));
    const store = new SqliteLedgerStore(databaseWith(sync));
    await store.initialise(EMPTY_HEAD, 'test+key');
    await store.commit([candidate('a')], honestSeal());
    isBroken = true;
    const failed = { reason: 'LEDGER_UNAVAILABLE', message: 'The disk failed under the ledger.' };
    await expect(store.commit([candidate('b')], honestSeal())).rejects.toMatchObject(failed);
    // A second sync would report success.
    isBroken = false;
    sync.mockClear();
    const rejected = { reason: 'LEDGER_UNAVAILABLE', message: expect.stringContaining('since the disk failed') };
    await expect(store.commit([candidate('c')], honestSeal())).rejects.toMatchObject(rejected);
    await expect(store.head()).rejects.toMatchObject(rejected);
    await expect(store.find('', 'b')).rejects.toMatchObject(rejected);
    expect(await store.find('', 'a')).toMatchObject({ index: 0 });
    expect(sync).not.toHaveBeenCalled();
    await store.close();
  });

  test('everybody who waits for a sync that fails learns of it, and so does everybody after', async () => {
    // Device files take writes and no syncs.
    await symlink('/dev/null', `${path}-wal`);
    const file = new WriteAheadFile(path, LEDGER);
    const failed = { code: 'EINVAL', syscall: 'fdatasync' };
    const syncs = [file.sync(), file.sync(), file.sync()];
    const outcomes = await Promise.allSettled(syncs);
    expect(outcomes).toMatchObject(syncs.map(() => ({ status: 'rejected', reason: failed })));
    const reasons = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as unknown);
    // The system was asked once: a second sync could report success.
    expect(new Set(reasons).size).toBe(1);
    await expect(file.sync()).rejects.toBe(reasons[0]);
    file.close();
  });
});

describe('closing the write-ahead file', () => {
  test('waits for syncs that are under way, may be done twice, and rejects syncs from then on', async () => {
    const { connection } = openDatabase(path, LEDGER_LAYOUT, LEDGER);
    const file = new WriteAheadFile(path, LEDGER);
    const syncs = [file.sync(), file.sync()];
    file.close();
    file.close();
    await Promise.all(syncs);
    file.close();
    await expect(file.sync()).rejects.toThrow('The write-ahead file is closed.');
    connection.close();
  });

  test('a write-ahead file that is not there is rejected with its place', () => {
    expect(() => new WriteAheadFile(path, LEDGER)).toThrow(
      expect.objectContaining({
        reason: 'LEDGER_UNAVAILABLE',
        message: expect.stringMatching(/there is no file .*store\.db-wal/),
      }),
    );
  });
});
