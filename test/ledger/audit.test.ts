import { beforeAll, describe, expect, test } from 'vitest';
import {
  type AuditRequest,
  auditLedger,
  generateLedgerKey,
  Ledger,
  type LedgerRecord,
  openLedgerKey,
  walkRecords,
} from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf } from '../support/candidates.ts';

const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));
const NOW = 1_772_000_000_000;
const SIZE = 9;

const records: LedgerRecord[] = [];
const checkpoints: string[] = [];
let root: Uint8Array;

beforeAll(async () => {
  const store = new MemoryLedgerStore();
  let nowMs = NOW;
  const ledger = await Ledger.open({ store, key: KEY, nowMs: () => nowMs });
  checkpoints.push((await ledger.checkpoint()).note);
  for (let index = 0; index < SIZE; index += 1) {
    nowMs += 1_000;
    await ledger.append(candidateOf(`entry ${index}`));
    checkpoints.push((await ledger.checkpoint()).note);
  }
  root = (await ledger.checkpoint()).root;
  for await (const record of walkRecords(store, { withContent: true })) records.push(record);
});

async function faultsOf(changed: readonly LedgerRecord[], options: Partial<AuditRequest> = {}) {
  const checkpoint = checkpoints[SIZE]!;
  const report = await auditLedger({ records: changed, checkpoint, verifierKey: KEY.verifierKey, ...options });
  expect(report.ok).toBe(report.faultCount === 0);
  return report.faults.map(({ index, fault }) => `${index ?? 'ledger'}: ${fault}`);
}

function withChange(index: number, change: Partial<LedgerRecord>): readonly LedgerRecord[] {
  return records.with(index, { ...records[index]!, ...change });
}

const WRONG_ROOT = `ledger: the first ${SIZE} leaves do not lead to the root that the current checkpoint signs`;

describe('an audit', () => {
  test('of an untouched ledger finds nothing, and derives the root anew', async () => {
    const progress: unknown[] = [];
    const report = await auditLedger({
      records,
      checkpoint: checkpoints[SIZE]!,
      verifierKey: KEY.verifierKey,
      earlier: checkpoints,
      onProgress: (read, size) => progress.push([read, size]),
    });
    expect(report).toMatchObject({ ok: true, size: SIZE, root, faults: [], faultCount: 0 });
    expect(progress).toEqual(records.map((_, index) => [index + 1, SIZE]));
  });

  test('of an empty ledger finds nothing', async () => {
    expect(await faultsOf([], { checkpoint: checkpoints[0]! })).toEqual([]);
  });

  test('of records whose content was erased finds nothing', async () => {
    expect(await faultsOf(records.map((record) => ({ ...record, content: null, salt: null })))).toEqual([]);
  });

  test('L8 finds an edited leaf', async () => {
    const leaf = Buffer.from(Buffer.from(records[4]!.leaf).toString().replace('entry 4', 'entry X'));
    expect(await faultsOf(withChange(4, { leaf }))).toEqual([WRONG_ROOT]);
  });

  test('L8 finds entries that were swapped', async () => {
    const swapped = records.with(2, records[3]!).with(3, records[2]!);
    expect(await faultsOf(swapped)).toEqual([
      '3: entry 2 was expected here',
      '2: entry 3 was expected here',
      '2: it is recorded earlier than the entry before',
      WRONG_ROOT,
    ]);
  });

  test('L8 finds a gap, and entries dropped at the end', async () => {
    expect(await faultsOf(records.toSpliced(7, 1))).toEqual([
      '8: entry 7 was expected here',
      `ledger: the current checkpoint signs ${SIZE} entries, but only ${SIZE - 1} are there`,
    ]);
    expect(await faultsOf(records.slice(0, 4))).toEqual([
      `ledger: the current checkpoint signs ${SIZE} entries, but only 4 are there`,
    ]);
  });

  test('L8 finds a rollback to a consistent older state, given a checkpoint that was kept', async () => {
    const old = { checkpoint: checkpoints[4]! };
    expect(await faultsOf(records.slice(0, 4), old)).toEqual([]);
    expect(await faultsOf(records.slice(0, 4), { ...old, earlier: [checkpoints[6]!] })).toEqual([
      'ledger: the earlier checkpoint signs 6 entries, but only 4 are there',
    ]);
  });

  test('L11 finds a fork: the key signed two histories', async () => {
    const store = new MemoryLedgerStore();
    const fork = await Ledger.open({ store, key: KEY, nowMs: () => NOW });
    await fork.append(candidateOf('another history'));
    const { note } = await fork.checkpoint();
    expect(await faultsOf(records, { earlier: [note] })).toEqual([
      'ledger: the first 1 leaves do not lead to the root that the earlier checkpoint signs',
    ]);
  });

  test('finds entries that no checkpoint covers', async () => {
    expect(await faultsOf(records, { checkpoint: checkpoints[7]! })).toEqual([
      `ledger: ${SIZE} entries are there, but the current checkpoint signs only 7`,
    ]);
  });

  test('L13 finds a time that goes back', async () => {
    expect(await faultsOf(withChange(5, { recordedAtMs: NOW }))).toEqual([
      '5: it is recorded earlier than the entry before',
    ]);
  });

  test('finds a name that is there twice', async () => {
    expect(await faultsOf(withChange(5, { name: 'entry 1' }))).toEqual([
      '5: its scope and name are taken by an earlier entry',
    ]);
  });

  test('finds content that the leaf does not commit to', async () => {
    const other = '5: its content is not what the leaf commits to';
    expect(await faultsOf(withChange(5, { content: Buffer.from('edited') }))).toEqual([other]);
    expect(await faultsOf(withChange(5, { salt: Buffer.alloc(32) }))).toEqual([other]);
    expect(await faultsOf(withChange(5, { salt: null }))).toEqual(['5: its content is kept without the salt']);
    expect(await faultsOf(withChange(5, { leaf: Buffer.from('{}') }))).toEqual([
      '5: its leaf has no commitment',
      WRONG_ROOT,
    ]);
  });

  test('finds what the writer of the leaves says is wrong', async () => {
    const checkRecord = ({ index }: LedgerRecord) => (index === 3 ? 'its leaf names another task' : undefined);
    expect(await faultsOf(records, { checkRecord })).toEqual(['3: its leaf names another task']);
  });

  test('finds a checkpoint of another key, and walks on', async () => {
    const { verifierKey } = openLedgerKey(generateLedgerKey('ledger.example/ect'));
    const changed = withChange(5, { name: 'entry 1' });
    expect(await faultsOf(changed, { verifierKey, earlier: [checkpoints[2]!] })).toEqual([
      'ledger: the checkpoint is not signed by this ledger key',
      'ledger: of an earlier one: the checkpoint is not signed by this ledger key',
      '5: its scope and name are taken by an earlier entry',
    ]);
  });

  test('lists at most 100 faults, and counts them all', async () => {
    const many = Array.from({ length: 150 }, () => records[0]!);
    const report = await auditLedger({ records: many, checkpoint: '', verifierKey: KEY.verifierKey });
    expect(report.faults.length).toBe(100);
    expect(report.faultCount).toBe(1 + 149 * 2);
  });
});
