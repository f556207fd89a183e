// The reader that judges a failover finds each fault that it looks for. It is compared with a ledger of the service's own.

import { beforeAll, expect, test } from 'vitest';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../../src/stores/memory/index.ts';
import { candidatesOf } from '../../support/candidates.ts';
import { examineLedger, type LedgerFaults } from '../../support/recorded-ledger.ts';

type Row = Readonly<Record<string, unknown>>;

const key = openLedgerKey(generateLedgerKey('ledger.example/judged'));
const indexes = new Map<string, number>();
const checkpoints = new Set<string>();
let rows: readonly Row[];
let head: Row;

beforeAll(async () => {
  const store = new MemoryLedgerStore();
  const ledger = await Ledger.open({ store, key, nowMs: Date.now });
  for (const candidate of candidatesOf(21)) {
    const { record, receipt } = await ledger.append(candidate);
    indexes.set(record.name, record.index);
    checkpoints.add(receipt?.checkpoint ?? '');
  }
  const records = await store.list({ startIndex: 0, limit: 100, withContent: false });
  rows = records.map(({ index, name, leaf }) => ({ idx: `${index}`, name: Buffer.from(name).toString('hex'), leaf }));
  const { size, checkpoint } = (await store.head())!;
  head = { size: `${size}`, checkpoint };
});

function judged(entries: readonly Row[], verifierKey = key.verifierKey, notes = checkpoints): Promise<LedgerFaults> {
  const sql = async (text: string) => (text.includes('ect.head') ? [head] : entries);
  return examineLedger(sql, verifierKey, { indexes, checkpoints: notes });
}

test('a ledger that is whole has none', async () => {
  expect(await judged(rows)).toEqual({ size: 21, gaps: [], doubles: [], lost: [], forks: [] });
});

test.each<[string, () => Promise<LedgerFaults>, Partial<LedgerFaults>]>([
  ['the last entry is gone', () => judged(rows.slice(0, -1)), { lost: ['entry 20'] }],
  ['an entry in the middle is gone', () => judged(rows.toSpliced(7, 1)), { gaps: expect.arrayContaining([7, 19]) }],
  ['a name is there twice', () => judged([...rows, { ...rows[3], idx: '21' }]), { doubles: ['entry 3'] }],
  [
    'two entries have changed places',
    () => judged(rows.toSpliced(4, 2, { ...rows[5], idx: '4' }, { ...rows[4], idx: '5' })),
    { lost: ['entry 4', 'entry 5'] },
  ],
])('%s', async (_title, judge, faults) => {
  const found = await judge();
  expect(found).toMatchObject(faults);
  // Checkpoints that were shown contradict it too.
  expect(found.forks.length).toBeGreaterThan(0);
});

test('a changed leaf, a checkpoint of another history and one of another key are forks', async () => {
  const changed = rows.toSpliced(9, 1, { ...rows[9], leaf: Buffer.from('{}') });
  // Those of the trees that have it, and the head.
  expect((await judged(changed)).forks).toHaveLength(21 - 9 + 1);
  const [note = ''] = [...checkpoints].slice(-1);
  const other = openLedgerKey(generateLedgerKey('ledger.example/judged'));
  expect((await judged(rows, other.verifierKey)).forks).toHaveLength(22);
  const forged = note.replace(/\n21\n/, '\n20\n');
  expect((await judged(rows, key.verifierKey, new Set([forged]))).forks).toEqual([forged]);
});
