// Copies a ledger from one store into another: every entry with its content and index, to the same signed checkpoint. Until the last
// entry the target has an unsigned head, so no service starts with it. An interrupted copy can be continued.

import {
  growTree,
  type Head,
  headFault,
  type LedgerRecord,
  leafHash,
  openCheckpoint,
  rootOf,
  type SealedBatch,
  type TreeState,
} from '../ledger/index.ts';
import { EXPIRING_KEY_KINDS, type ExpiringKeyKind } from '../stores/expiring-keys.ts';
import { unfinishedHead } from '../stores/unfinished-copy.ts';
import { begin, compare, headOf, rejectOpenRecordings, START_ANEW } from './begin-copy.ts';
import type { CopySource, CopyTarget } from './ends.ts';
import { readBack } from './read-back.ts';
import { damagedSource, rejection } from './rejections.ts';
import { NAME_TAKEN, readPages, type TreeRead } from './source-pages.ts';

const ROWS_AT_ONCE = 500;

/** Called repeatedly with the number of entries in the target and the total. */
export type OnCopied = (done: number, total: number) => void;

/** The result of a copy. */
export interface CopiedLedger {
  readonly head: Head;
  readonly root: Uint8Array;
  /** The number of entries that the target had before. */
  readonly before: number;
  /** Rows of expiring keys; undefined if the source has lost them. */
  readonly once: Readonly<Record<ExpiringKeyKind, number>> | undefined;
}

/**
 * Copies everything, and returns when the target is complete and durable. The source is not changed, except that it is retired at the
 * end.
 */
export async function copyLedger(source: CopySource, target: CopyTarget, onCopied: OnCopied): Promise<CopiedLedger> {
  const head = await headOf(source);
  rejectOpenRecordings(source);
  const before = await begin(source, target, head);
  // Existing entries of the target are compared one by one, because their origin is unknown.
  const compared = await compare(source, target, before.size, (done) => onCopied(done, head.size));
  const last = Math.max(before.size, head.size - 1);
  let tree = await addEntries(source, target, compared, last, (done) => onCopied(done, head.size));
  const once = await copyOnce(source, target);
  await copyDocuments(source, target);
  const readTree = await readBack(target.store, target.name, compared, last);
  if (!isSameTree(tree, readTree)) throw rejection('target_differs', `${target.name} holds another tree.`, START_ANEW);
  const final = await lastPage(source, tree, head.size);
  tree = final.tree;
  const root = rootOf(tree.frontier);
  if (!isRootOf(head, source, root)) {
    throw damagedSource(source.name, undefined, 'its leaves do not lead to the root that its checkpoint signs');
  }
  await source.retire(target.name);
  // The commit point: with this entry the copy has its signed head, and a service can start with it.
  if (final.batch !== undefined) await commit(source, target, final.batch.records, { ...final.batch, head });
  const fault = await headFault(target.store, source.key.verifierKey);
  if (fault !== undefined) throw rejection('target_differs', `${target.name}: ${fault}`, START_ANEW);
  await target.finish(head);
  onCopied(head.size, head.size);
  return { head, root, before: before.size, once };
}

/** Copies the entries after `tree` to before `to`. */
async function addEntries(
  source: CopySource,
  target: CopyTarget,
  from: TreeRead,
  to: number,
  onAdded: (done: number) => void,
): Promise<TreeRead> {
  let tree = from;
  for await (const page of readPages(source, from, to)) {
    const batch = batchOf(tree, page);
    await commit(source, target, page, batch);
    tree = batch.head;
    onAdded(tree.size);
  }
  return tree;
}

/** Returns the last entry, if the target does not have it yet, with the tree that includes it. */
async function lastPage(source: CopySource, tree: TreeRead, size: number) {
  for await (const page of readPages(source, tree, size)) {
    const batch = batchOf(tree, page);
    return { tree: batch.head as TreeRead, batch };
  }
  return { tree, batch: undefined };
}

/** Extends a tree by these records, with an unsigned head. */
function batchOf(tree: TreeRead, records: readonly LedgerRecord[]): SealedBatch {
  const { size, frontier, nodes } = growTree(
    tree,
    records.map(({ leaf }) => leafHash(leaf)),
  );
  return { records, nodes, head: unfinishedHead({ size, frontier, recordedAtMs: records.at(-1)?.recordedAtMs ?? 0 }) };
}

async function commit(
  source: CopySource,
  { store, name }: CopyTarget,
  records: readonly LedgerRecord[],
  batch: SealedBatch,
): Promise<void> {
  const [first] = records;
  // The leaves of the records are used unchanged.
  const candidates = records.map((record) => ({
    ...record,
    content: record.content ?? new Uint8Array(0),
    provenance: undefined,
    leaf: () => record.leaf,
  }));
  await store.commit(candidates, (head, fresh) => {
    if (head.size !== first?.index) {
      const message = `${name} has ${head.size} entries now: something else writes to it.`;
      throw rejection('target_changed', message, 'Stop every service over the target, and repeat the copy.');
    }
    if (fresh.length < records.length) {
      const taken = records.find((_, place) => !fresh.includes(candidates[place]!));
      throw damagedSource(source.name, taken?.index, NAME_TAKEN);
    }
    return batch;
  });
}

/** Copies the documents that entries name by digest. Every reader of a document checks its digest. */
async function copyDocuments({ store: from }: CopySource, { store: to }: CopyTarget): Promise<void> {
  for (const digest of await from.documents()) {
    const document = await from.document(digest);
    if (document !== undefined) await to.keepDocument(document);
  }
}

async function copyOnce(source: CopySource, target: CopyTarget): Promise<CopiedLedger['once']> {
  const { once } = source;
  if (once === undefined) return undefined;
  const counts: Record<ExpiringKeyKind, number> = { uses: 0, issued: 0 };
  for (const kind of EXPIRING_KEY_KINDS) {
    for (let key: Uint8Array = new Uint8Array(0); ; ) {
      const rows = await once.after(kind, key, ROWS_AT_ONCE);
      if (rows.length === 0) break;
      await target.once.add(kind, rows);
      counts[kind] += rows.length;
      key = rows.at(-1)!.key;
    }
  }
  return counts;
}

function isSameTree(a: TreeState, b: TreeState): boolean {
  return a.size === b.size && Buffer.compare(rootOf(a.frontier), rootOf(b.frontier)) === 0;
}

function isRootOf(head: Head, { key }: CopySource, root: Uint8Array): boolean {
  const signed = openCheckpoint(head.checkpoint, key.verifierKey);
  return signed.ok && signed.size === head.size && Buffer.compare(signed.root, root) === 0;
}
