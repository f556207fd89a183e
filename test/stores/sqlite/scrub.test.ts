// The scrub in its thread: what it finds in either file, that it never keeps pages from being moved, and how it ends.

import { hash } from 'node:crypto';
import { copyFile, open, readFile, rm, stat } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LedgerKey } from '../../../src/ledger/index.ts';
import { type Damage, LedgerScrub, SqliteLedgerStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { candidate, honestSeal } from '../../support/honest-seal.ts';
import { SOON } from '../../support/soon.ts';
import { type Folder, makeFolder } from './folder.ts';
import { recordLedger } from './recorded-ledger.ts';

const MIB = 2 ** 20;
const ENTRIES = 20;

let folder: Folder;
let key: LedgerKey;
let scrub: LedgerScrub | undefined;

let made: Folder;
beforeAll(async () => {
  made = await makeFolder();
  key = await recordLedger(made.file('ledger.db'), ENTRIES);
  const guard = SqliteReplayGuard.open(made.file('once.db'));
  const claims = Array.from({ length: ENTRIES }, (_, use) => {
    const signingInput = `header.payload-${use}`;
    const digest = hash('sha256', signingInput, 'buffer');
    return guard.claim({ ...tokenUse(), jti: `use-${use}`, signingInput, digest }, 2_000, 1_000);
  });
  await Promise.all(claims);
  await guard.close();
});
afterAll(() => made.remove());

beforeEach(async () => {
  folder = await makeFolder();
  for (const name of ['ledger.db', 'once.db']) await copyFile(made.file(name), folder.file(name));
});
afterEach(async () => {
  await scrub?.stop();
  scrub = undefined;
  await folder.remove();
});

/** Starts a scrub, and collects what it says. */
function startScrub(entriesPerSecond = 100_000) {
  const reported = {
    damages: [] as (Damage & { file: string })[],
    passes: [] as [string, number, boolean][],
    failures: 0,
    examined: 0,
  };
  scrub = new LedgerScrub(
    {
      file: folder.file('ledger.db'),
      onceFile: folder.file('once.db'),
      verifierKey: key.verifierKey,
      entriesPerSecond,
    },
    {
      examined: (entries) => {
        reported.examined += entries;
      },
      damaged: (file, damage) => reported.damages.push({ file, ...damage }),
      passed: (file, entries, isSound) => reported.passes.push([file, entries, isSound]),
      failed: () => reported.failures++,
    },
  );
  return { ...reported, reported };
}

/** Changes a file as no statement of the service can, behind its triggers and constraints. */
function damage(file: string, sql: string): void {
  const database = new DatabaseSync(folder.file(file));
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
  database.exec(sql);
  for (const { sql: trigger } of triggers) database.exec(String(trigger));
  database.close();
}

/** Flips a bit of a key in a leaf page of an index, found by what it begins with. */
async function flipKey(file: string, needle: Buffer): Promise<void> {
  const bytes = await readFile(folder.file(file));
  const pageSize = bytes.readUInt16BE(16);
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
    if (bytes[Math.floor(at / pageSize) * pageSize] !== 10) continue;
    await using handle = await open(folder.file(file), 'r+');
    await handle.write(Buffer.of(bytes[at]! ^ 1), 0, 1, at);
    return;
  }
  throw new Error('the key is in no index');
}

describe('L7 L27: the scrub', () => {
  test('goes over both files again and again, and finds nothing in sound ones', async () => {
    const { passes, damages } = startScrub();
    await vi.waitFor(() => expect(passes.length).toBeGreaterThanOrEqual(4), SOON);
    expect(passes.slice(0, 2)).toEqual([
      ['ledger.db', ENTRIES, true],
      ['once.db', ENTRIES, true],
    ]);
    expect(damages).toEqual([]);
  });

  test.each([
    ['a leaf', "UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'L3', 'L2') AS BLOB) WHERE idx = 3", 3],
    ['a node', 'UPDATE entries SET nodes = zeroblob(64) WHERE idx = 5', 5],
    ['a missing node', 'UPDATE entries SET nodes = substr(nodes, 1, 32) WHERE idx = 7', 7],
    ['a node too many', 'UPDATE entries SET nodes = CAST(nodes || zeroblob(32) AS BLOB) WHERE idx = 4', 4],
    ['a name', "UPDATE entries SET name = 'other' WHERE idx = 2", 2],
    ['a content', 'UPDATE entries SET content = zeroblob(9) WHERE idx = 6', 6],
    ['a salt that outlived its content', 'UPDATE entries SET content = NULL WHERE idx = 6', 6],
    ['the head', 'UPDATE head SET recorded_at = recorded_at + 1', null],
    ['the identity', "UPDATE identity SET verifier_key = verifier_key || 'x'", null],
    ['the schema', 'CREATE INDEX more ON entries (digest)', null],
  ])('finds %s of the ledger', async (_title, sql, index) => {
    damage('ledger.db', sql);
    const { damages, passes } = startScrub();
    await vi.waitFor(() => expect(passes).toContainEqual(['ledger.db', ENTRIES, false]), SOON);
    expect(damages.map((found) => found.index)).toContain(index);
    expect(damages.every(({ file }) => file === 'ledger.db')).toBe(true);
  });

  test.each([
    ['a digest of a use', 'UPDATE uses SET digest = zeroblob(32) WHERE rowid = 4', /digest/],
    ['the schema', 'DROP INDEX uses_by_end; CREATE INDEX uses_by_end ON uses (label)', /uses_by_end|schema/],
  ])('finds %s of the expiring keys', async (_title, sql, fault) => {
    damage('once.db', sql);
    const { damages } = startScrub();
    await vi.waitFor(() => expect(damages.length).toBeGreaterThan(0), SOON);
    expect(damages[0]).toMatchObject({ file: 'once.db', fault: expect.stringMatching(fault) });
  });

  test('finds a use that its index does not lead to: it would be granted again', async () => {
    const database = new DatabaseSync(folder.file('once.db'));
    const used = database.prepare('SELECT key FROM uses WHERE rowid = 5').get()!['key'] as Uint8Array;
    database.close();
    await flipKey('once.db', Buffer.from(used));
    const { damages } = startScrub();
    await vi.waitFor(() => expect(damages.length).toBeGreaterThan(0), SOON);
    expect(damages[0]).toMatchObject({ file: 'once.db', fault: 'a row of uses is not found by its key' });
  });

  test('a pass that was going on when something was found elsewhere shows nothing', async () => {
    // Two slices a pass; the result of the first is reported before the second begins.
    const { passes, reported } = startScrub(100);
    await vi.waitFor(() => expect(reported.examined).toBe(10), SOON);
    scrub?.distrust();
    await vi.waitFor(() => expect(passes.length).toBeGreaterThanOrEqual(4), SOON);
    expect(passes.filter(([file]) => file === 'ledger.db').map(([, , isSound]) => isSound)).toEqual([false, true]);
  });

  test('never keeps the write-ahead file from beginning anew', async () => {
    const { passes } = startScrub(1_000);
    const store = SqliteLedgerStore.open(folder.file('ledger.db'));
    for (let n = 0; n < 200; n++)
      await store.commit([candidate(`${n}`, { content: `${n}`.padEnd(MIB) })], honestSeal());
    expect((await stat(folder.file('ledger.db-wal'))).size).toBeLessThan(150 * MIB);
    expect(passes.length).toBeGreaterThan(0);
    await scrub?.stop();
    await store.close();
  });

  test('a file that cannot be read is reported, and tried again', async () => {
    await rm(folder.file('once.db'));
    const { reported } = startScrub();
    await vi.waitFor(() => expect(reported.failures).toBeGreaterThan(0), SOON);
  });
});
