// One bit of the file of a ledger is flipped, anywhere, over and over: each time nothing that the ledger answers changes, or the
// audit and the service both find it. `LEDGER_FLIPS` says how often, `ECT_TEST_SEED` where.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EctError } from '../../../src/errors.ts';
import type { LedgerKey } from '../../../src/ledger/index.ts';
import { checkAtStart, LedgerExaminer } from '../../../src/stores/sqlite/index.ts';
import { SCRUBBED_STRUCTURE_BYTES } from '../../../src/stores/sqlite/ledger-examiner.ts';
import { ect } from '../../cli/run.ts';
import { rounds } from '../../support/full.ts';
import { randomNumbers, SEED } from '../../support/random.ts';
import { type Folder, makeFolder } from './folder.ts';
import { answersOf, ISSUERS, recordLedger } from './recorded-ledger.ts';

const FLIPS = Number(process.env['LEDGER_FLIPS'] ?? rounds(60, 12));
const SIZE = 60;

let folder: Folder;
let key: LedgerKey;
let expected: readonly string[];
let original: Buffer;

beforeAll(async () => {
  folder = await makeFolder();
  key = await recordLedger(folder.file('ledger.db'), SIZE);
  original = readFileSync(folder.file('ledger.db'));
  copyFileSync(folder.file('ledger.db'), folder.file('sound.db'));
  expected = await answersOf(folder.file('sound.db'), key, SIZE);
});
afterAll(() => folder.remove());

/** A copy in which the bit of this number is another one. */
function flipped(name: string, bit: number): string {
  const bytes = Buffer.from(original);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(folder.file(name), bytes);
  return folder.file(name);
}

/** Whether the command line finds a fault, or cannot read the file at all. */
async function auditFinds(path: string): Promise<boolean> {
  const foreign = ISSUERS.flatMap((issuer) => ['--foreign', issuer]);
  return (await ect(['audit', path, '--ledger-key', key.verifierKey, ...foreign])).code !== 0;
}

async function finds(look: () => Promise<readonly unknown[]>): Promise<boolean> {
  try {
    return (await look()).length > 0;
  } catch (error) {
    if (error instanceof EctError) return true;
    throw error;
  }
}

/** What a pass of the scrub looks at; with 0 bytes, of a file that is too large for SQLite's own check. */
function scrubFinds(path: string, structureBytes = SCRUBBED_STRUCTURE_BYTES): Promise<boolean> {
  return finds(async () => {
    const examiner = LedgerExaminer.open(path);
    try {
      const size = await examiner.size();
      const faults = Array.from({ length: size }, (_, index) => examiner.entryFault(index));
      const whole = await examiner.wholeFaults(size, key.verifierKey, structureBytes);
      return [...faults.filter((fault) => fault !== undefined), ...whole];
    } finally {
      examiner.close();
    }
  });
}

const startFinds = (path: string) => finds(async () => (await checkAtStart(path, key.verifierKey)).faults);

test('an undamaged ledger answers everything, and nothing is found', async () => {
  expect(expected).not.toContain('LEDGER_CORRUPT');
  const path = folder.file('ledger.db');
  expect(await Promise.all([auditFinds(path), startFinds(path), scrubFinds(path)])).toEqual([false, false, false]);
});

describe('L7 L27: a flipped bit', () => {
  test(`anywhere in the file is harmless or found (${FLIPS} times, seed ${SEED})`, async () => {
    const random = randomNumbers(SEED);
    const counts = { harmless: 0, harmful: 0, foundHarmless: 0 };
    const missed: unknown[] = [];
    for (let turn = 0; turn < FLIPS; turn++) {
      const bit = Math.floor(random() * original.length * 8);
      const path = flipped(`flip-${turn}.db`, bit);
      // Before anything is written to it, since that may repair it.
      const found = [await auditFinds(path), await startFinds(path), await scrubFinds(path)];
      const answers = await answersOf(path, key, SIZE);
      const isHarmless = JSON.stringify(answers) === JSON.stringify(expected);
      counts[isHarmless ? 'harmless' : 'harmful']++;
      if (isHarmless && found.includes(true)) counts.foundHarmless++;
      if (!isHarmless && found.includes(false)) missed.push({ bit, found });
    }
    console.info(`flips: seed ${SEED}, ${FLIPS} in all`, counts);
    expect(missed).toEqual([]);
    expect(counts.harmful).toBeGreaterThan(0);
  });

  test.each([
    ['by name', 'entries_by_name'],
    ['by scope', 'entries_by_scope'],
    ['by issuer', 'entries_by_author'],
  ])('in the index %s is found by the audit, at the start and by the scrub', async (_title, index) => {
    for (const bit of bitsOfIndex(index)) {
      const path = flipped(`${index}.db`, bit);
      const found = [auditFinds(path), startFinds(path), scrubFinds(path), scrubFinds(path, 0)];
      expect(await Promise.all(found)).toEqual([true, true, true, true]);
    }
  });

  test('in an index is gone after REINDEX, as the operating page says: the ledger answers everything again', async () => {
    for (const index of ['entries_by_name', 'entries_by_scope', 'entries_by_author']) {
      const path = flipped(`reindexed-${index}.db`, bitsOfIndex(index)[0]!);
      const connection = new DatabaseSync(path);
      connection.exec('REINDEX');
      connection.close();
      expect(await Promise.all([auditFinds(path), startFinds(path), scrubFinds(path)])).toEqual([false, false, false]);
      expect(await answersOf(path, key, SIZE)).toEqual(expected);
    }
  });

  test('that an index has a row too many is found by its count alone', async () => {
    const path = folder.file('row-too-many.db');
    writeFileSync(path, original);
    addToIndex(path);
    const examiner = LedgerExaminer.open(path);
    expect(Array.from({ length: SIZE }, (_, index) => examiner.entryFault(index)).filter(Boolean)).toEqual([]);
    expect(await examiner.wholeFaults(SIZE, key.verifierKey, 0)).toEqual([
      { index: null, fault: `the index entries_by_name has ${SIZE + 1} rows for ${SIZE} entries` },
    ]);
    examiner.close();
    expect(await auditFinds(path)).toBe(true);
  });

  test('in the schema, where it changes what a trigger stops, is found, and the service does not open the file', async () => {
    const bit = 8 * (original.indexOf('entries are never deleted') - 'SELECT RAISE(ABORT, '.length - 1);
    const path = flipped('trigger.db', bit);
    expect(await auditFinds(path)).toBe(true);
    expect(await scrubFinds(path)).toBe(true);
    expect(await answersOf(path, key, SIZE)).toEqual(['LEDGER_CORRUPT']);
  });
});

/** Makes another name lead to an entry as well. SQLite changes no index that it does not know of. */
function addToIndex(path: string): void {
  const steps = [
    ['hide', 'DELETE FROM entries WHERE idx = 3'],
    [
      'show',
      "INSERT INTO entries SELECT idx, scope, 'more', author, recorded_at, digest, leaf, nodes, salt, content, provenance FROM kept",
    ],
    ['hide', 'UPDATE entries SET name = (SELECT name FROM kept) WHERE idx = 3'],
    ['show', 'DROP TABLE kept'],
  ] as const;
  let database = new DatabaseSync(path, { defensive: false });
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
  database.exec('CREATE TABLE kept AS SELECT * FROM entries WHERE idx = 3');
  const index = database.prepare("SELECT * FROM sqlite_schema WHERE name = 'entries_by_name'").get()!;
  for (const [view, sql] of steps) {
    database.exec('PRAGMA writable_schema=ON');
    database.exec("DELETE FROM sqlite_schema WHERE name = 'entries_by_name'");
    if (view === 'show') {
      const { type, name, tbl_name: table, rootpage, sql: text } = index;
      database
        .prepare('INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)')
        .run(type!, name!, table!, rootpage!, text!);
    }
    database.close();
    database = new DatabaseSync(path, { defensive: false });
    database.exec(sql);
  }
  for (const { sql } of triggers) database.exec(String(sql));
  database.close();
}

/** The lowest bit of the first byte of the first keys in the first leaf page of an index. */
function bitsOfIndex(index: string): readonly number[] {
  const word = Buffer.from({ entries_by_name: 'task-', entries_by_scope: 'flow-', entries_by_author: 'urn:' }[index]!);
  const pageSize = original.readUInt16BE(16);
  const bits: number[] = [];
  for (let page = 1; page < original.length / pageSize; page++) {
    const at = page * pageSize;
    // 10: a leaf page of an index. The three indexes differ in what their keys begin with.
    if (original[at] !== 10) continue;
    const cell = at + original.readUInt16BE(at + 8);
    const record = original.subarray(cell, cell + 64);
    const place = record.indexOf(word);
    if (place >= 0 && place < 8) bits.push(8 * (cell + place));
  }
  expect(bits.length).toBeGreaterThan(0);
  return bits;
}
