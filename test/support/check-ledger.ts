// Verifies a whole store after the steps of a test: every record, every node, the head, and the inclusion proof of each entry.

import { expect } from 'vitest';
import {
  auditLedger,
  growTree,
  type Head,
  type LedgerRecord,
  type LedgerStore,
  leafHash,
  type TreeNode,
  walkRecords,
} from '../../src/ledger/index.ts';

/** Fails the test at the first inconsistency of the store. Returns the head. */
export async function checkLedger(store: LedgerStore, verifierKey: string): Promise<Head> {
  const head = await store.head();
  if (head === undefined) throw new Error('the store has no head');
  expect(await store.identity()).toBe(verifierKey);

  const records: LedgerRecord[] = [];
  for await (const record of walkRecords(store, { withContent: true })) records.push(record);
  const report = await auditLedger({ records, checkpoint: head.checkpoint, verifierKey });
  expect(report.faults).toEqual([]);
  expect(report.size).toBe(head.size);
  expect(head.recordedAtMs).toBe(records.at(-1)?.recordedAtMs ?? 0);
  expect(await store.at(head.size)).toBeUndefined();

  const tree = growTree(
    { size: 0, frontier: [] },
    records.map((record) => leafHash(record.leaf)),
  );
  expect(hexes(head.frontier)).toEqual(hexes(tree.frontier));
  expect(hexes(await store.nodes(tree.nodes.map(placeOf)))).toEqual(hexes(tree.nodes.map(({ hash }) => hash)));
  for (const { scope, name, index } of records) expect((await store.find(scope, name))?.index).toBe(index);
  return head;
}

function placeOf({ level, index }: TreeNode) {
  return { level, index };
}

function hexes(hashes: readonly Uint8Array[]): readonly string[] {
  return hashes.map((hash) => Buffer.from(hash).toString('hex'));
}
