// Seals candidates: they become entries of the tree, and the tree gets a new signed head. Pure; it runs inside the commit of the store,
// under the lock of the sequencer.

import { signCheckpoint } from './checkpoint.ts';
import { type Commitment, commitEach } from './entry.ts';
import type { TrustedHead } from './head.ts';
import type { LedgerKey } from './ledger-key.ts';
import { inclusionRanges, type LeafRange } from './proof.ts';
import type { Candidate, Head, LedgerRecord, SealedBatch } from './store.ts';
import { growTree, leafHash, perfectSubtrees, rootOf } from './tree.ts';

/** A batch, and its head. */
export interface Sealed {
  readonly base: Head;
  readonly batch: SealedBatch;
  readonly head: TrustedHead;
}

/**
 * Extends a checked head. Times never decrease: a clock that went back is clamped to the newest entry. The signed note must not leave the
 * process before the commit has completed.
 */
export function sealBatch(base: TrustedHead, fresh: readonly Candidate[], key: LedgerKey, nowMs: number): Sealed {
  const recordedAtMs = Math.max(nowMs, base.recordedAtMs);
  const commitments = commitEach(fresh);
  const records = fresh.map((candidate, offset) =>
    recordOf(candidate, commitments[offset] as Commitment, base.size + offset, recordedAtMs),
  );
  const { size, frontier, nodes } = growTree(
    base,
    records.map((record) => leafHash(record.leaf)),
  );
  const root = rootOf(frontier);
  const head = { size, frontier, recordedAtMs, checkpoint: signCheckpoint(key, { size, root }) };
  return { base, batch: { records, nodes, head }, head: { ...head, root } };
}

function recordOf(
  candidate: Candidate,
  { salt, commitment, provenance }: Commitment,
  index: number,
  recordedAtMs: number,
): LedgerRecord {
  const { scope, name, author, digest, content } = candidate;
  return {
    index,
    scope,
    name,
    author,
    digest,
    recordedAtMs,
    leaf: candidate.leaf({ recordedAtMs, commitment }),
    salt,
    content,
    provenance,
  };
}

/**
 * Inclusion proofs of the entries of a batch in its tree. No store is read: everything left of a new leaf is in the old frontier, and the
 * rest is new.
 */
export function proveBatch({ base, batch }: Sealed): readonly (readonly Uint8Array[])[] {
  const { size } = batch.head;
  const node = knownNodes(base, batch);
  /** A range at the right edge need not be a complete subtree. Cached by its start, because many leaves share it. */
  const edges = new Map<number, Uint8Array>();
  const hashOf = ([start, end]: LeafRange): Uint8Array => {
    if (end < size) return node(Math.log2(end - start), start / (end - start));
    let edge = edges.get(start);
    if (edge === undefined) {
      edge = rootOf(perfectSubtrees(start, end).map(({ level, index }) => node(level, index)));
      edges.set(start, edge);
    }
    return edge;
  };
  return batch.records.map(({ index }) => inclusionRanges(index, size).map(hashOf));
}

function knownNodes(base: Head, { nodes }: SealedBatch): (level: number, index: number) => Uint8Array {
  const levels: Map<number, Uint8Array>[] = [];
  const known = (level: number) => (levels[level] ??= new Map());
  for (const [position, { level, index }] of perfectSubtrees(0, base.size).entries()) {
    known(level).set(index, base.frontier[position] as Uint8Array);
  }
  for (const { level, index, hash } of nodes) known(level).set(index, hash);
  return (level, index) => known(level).get(index) as Uint8Array;
}
