// Opening a file: what it is given, and when it is rejected.

import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SqliteIdempotencyStore, SqliteLedgerStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';
import { LEDGER_LAYOUT } from '../../../src/stores/sqlite/ledger-layout.ts';
import { openDatabase } from '../../../src/stores/sqlite/open-database.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { outputOf, startChild } from './child.ts';
import { type Folder, makeFolder } from './folder.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;

let folder: Folder;
let path: string;

beforeEach(async () => {
  folder = await makeFolder();
  path = folder.file('ledger.db');
});
afterEach(() => folder.remove());

function change(sql: string): void {
  const connection = new DatabaseSync(path);
  connection.exec(sql);
  connection.close();
}

function rejection(reason: string, message: RegExp) {
  return expect.objectContaining({ reason, message: expect.stringMatching(message) });
}

describe('settings', () => {
  test('every connection syncs what it needs to recover, and distrusts the schema', () => {
    for (let connections = 0; connections < 2; connections++) {
      const database = openDatabase(path, LEDGER_LAYOUT, REASONS);
      const setting = (name: string) => Object.values(database.connection.prepare(`PRAGMA ${name}`).get()!)[0];
      expect(setting('journal_mode')).toBe('wal');
      expect(setting('synchronous')).toBe(1);
      expect(setting('trusted_schema')).toBe(0);
      expect(setting('foreign_keys')).toBe(0);
      expect(setting('recursive_triggers')).toBe(1);
      expect(setting('busy_timeout')).toBe(2_000);
      expect(setting('wal_autocheckpoint')).toBe(64_000);
      database.close();
    }
  });

  test('only the owner may read the files, also where an old file was open to others', async () => {
    await writeFile(path, '', { mode: 0o644 });
    await chmod(path, 0o644);
    const store = SqliteLedgerStore.open(path);
    await store.initialise(EMPTY_HEAD, 'test+key');
    for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) {
      expect((await stat(folder.file(name))).mode & 0o777, name).toBe(0o600);
    }
    await store.close();
  });

  test('processes that open a new file at the same time all succeed', async () => {
    const children = Array.from({ length: 4 }, () => startChild('claim-child.ts', [path, '1']));
    expect((await Promise.all(children.map(outputOf))).flat()).toEqual(['0 fresh']);
  });
});

describe('waiting for another writer', () => {
  // The lock is let go by this very event loop: a writer that held it up would wait in vain.
  test.each([
    ['an append', () => SqliteLedgerStore.open(path)],
    ['a claim', () => SqliteReplayGuard.open(path)],
  ] as const)('%s leaves the event loop to other calls, and is done when the lock is free', async (_, open) => {
    const store = open();
    if (store instanceof SqliteLedgerStore) await store.initialise(EMPTY_HEAD, 'test+key');
    const write = () =>
      store instanceof SqliteLedgerStore
        ? store.commit([candidate('a')], honestSeal())
        : store.claim(tokenUse(), 2_000, 1_000);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    let isDone = false;
    const writing = write().then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(isDone).toBe(false);
    other.exec('COMMIT');
    await writing;
    other.close();
    await store.close();
  });

  test('closing a guard waits for the claims that wait', async () => {
    const guard = SqliteReplayGuard.open(path);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const claim = guard.claim(tokenUse(), 2_000, 1_000);
    const closed = guard.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    other.exec('COMMIT');
    other.close();
    expect(await claim).toBe('fresh');
    await closed;
  });
});

describe('refusals', () => {
  test('L18: a file of a newer release is rejected, says so, and stays as it is', async () => {
    await SqliteLedgerStore.open(path).close();
    change('PRAGMA user_version=4');
    const before = await readFile(path);
    const newer = rejection(
      'LEDGER_UNAVAILABLE',
      /newer release \(schema 4, this release knows 3\): start that release/,
    );
    expect(() => SqliteLedgerStore.open(path)).toThrow(newer);
    expect(() => SqliteLedgerStore.openReadOnly(path)).toThrow(newer);
    expect(await readFile(path)).toEqual(before);
  });

  test('L18: a schema that never was is LEDGER_CORRUPT', async () => {
    await SqliteLedgerStore.open(path).close();
    change('PRAGMA user_version=0');
    expect(() => SqliteLedgerStore.open(path)).toThrow(rejection('LEDGER_CORRUPT', /unknown schema 0/));
  });

  test('a file of another kind is rejected and stays as it is', async () => {
    await SqliteReplayGuard.open(path).close();
    expect(() => SqliteLedgerStore.open(path)).toThrow(rejection('LEDGER_CORRUPT', /does not hold a ledger/));
    expect(await SqliteIdempotencyStore.open(path).findIssued('ada', 'key', 0)).toBeUndefined();

    path = folder.file('other.db');
    change('CREATE TABLE other (a)');
    expect(() => SqliteLedgerStore.open(path)).toThrow(rejection('LEDGER_CORRUPT', /does not hold a ledger/));
    expect(() => SqliteReplayGuard.open(path)).toThrow(rejection('ONCE_CORRUPT', /does not hold a replay guard/));
  });

  test('a directory that is not there, or a path that is a directory, is rejected with the place and the cause', async () => {
    const lost = folder.file('missing/ledger.db');
    for (const [open, reason] of [
      [SqliteLedgerStore.open, 'LEDGER_UNAVAILABLE'],
      [SqliteLedgerStore.openReadOnly, 'LEDGER_UNAVAILABLE'],
      [SqliteIdempotencyStore.open, 'IDEMPOTENCY_UNAVAILABLE'],
    ] as const) {
      expect(() => open(lost)).toThrow(
        rejection(reason, /there is no (?:file .*missing\/ledger\.db, and no )?directory .*missing/),
      );
    }
    expect(() => SqliteReplayGuard.open(lost)).toThrow(
      rejection('REPLAY_GUARD_UNAVAILABLE', /there is no directory .*missing/),
    );
    await mkdir(path);
    expect(() => SqliteLedgerStore.open(path)).toThrow(rejection('LEDGER_UNAVAILABLE', /is a directory, not a file/));
  });

  test('a directory or a file that may not be written is rejected; a ledger in it can be read all the same', async () => {
    const writer = SqliteLedgerStore.open(path);
    await writer.initialise(EMPTY_HEAD, 'test+key');
    await writer.commit([candidate('a')], honestSeal());
    await writer.close();
    await chmod(path, 0o444);
    await chmod(folder.file('.'), 0o555);
    const lines = await outputOf(startChild('read-child.ts', [path, folder.file('new.db')]));
    expect(lines).toEqual([
      expect.stringMatching(/^LEDGER_UNAVAILABLE .*user 65534 may not make .*new\.db in .*owner: user \d+, mode 0555/),
      expect.stringMatching(
        /^LEDGER_UNAVAILABLE .*user 65534 may not write .*ledger\.db \(owner: user \d+, mode 0444\)/,
      ),
      'size 1, entry 0 a',
    ]);
    await chmod(folder.file('.'), 0o755);
    expect(await readdir(folder.file('.'))).toEqual(['ledger.db']);
  });
});

describe('reading only', () => {
  test('an empty file holds no ledger yet, and stays empty', async () => {
    await writeFile(path, '');
    expect(() => SqliteLedgerStore.openReadOnly(path)).toThrow(
      rejection('LEDGER_UNAVAILABLE', /start the service once/),
    );
    expect((await stat(path)).size).toBe(0);
  });

  test('a path is a plain name, whatever it means in a URL', async () => {
    path = folder.file('odd %41 ?mode=memory#.db');
    const writer = SqliteLedgerStore.open(path);
    await writer.initialise(EMPTY_HEAD, 'odd+key');
    await writer.close();
    const reader = SqliteLedgerStore.openReadOnly(path);
    expect(await reader.identity()).toBe('odd+key');
    await reader.close();
    expect(await readdir(folder.file('.'))).toContain('odd %41 ?mode=memory#.db');
  });

  test('the file does not change, and every write is rejected', async () => {
    const writer = SqliteLedgerStore.open(path);
    await writer.initialise(EMPTY_HEAD, 'test+key');
    await writer.commit([candidate('a')], honestSeal());
    await writer.close();
    const before = await readFile(path);
    const reader = SqliteLedgerStore.openReadOnly(path);
    expect(await reader.find('', 'a')).toMatchObject({ index: 0 });
    await expect(reader.commit([candidate('b')], honestSeal())).rejects.toMatchObject({
      reason: 'LEDGER_UNAVAILABLE',
      message: 'The ledger (ledger.db) may not be written by this service.',
    });
    await expect(reader.initialise(EMPTY_HEAD, 'k')).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    await reader.close();
    expect(await readFile(path)).toEqual(before);
  });

  test('a reader that came first sees what is committed later, and does not disturb the writer', async () => {
    const writer = SqliteLedgerStore.open(path);
    await writer.initialise(EMPTY_HEAD, 'test+key');
    const reader = SqliteLedgerStore.openReadOnly(path);
    for (let turn = 0; turn < 20; turn++) {
      await writer.commit([candidate(`task ${turn}`)], honestSeal());
      expect((await reader.head())?.size).toBe(turn + 1);
    }
    await reader.close();
    await writer.close();
    expect(await readdir(folder.file('.'))).toEqual(['ledger.db']);
  });
});
