// The rules of a commit for every adapter: which candidates are new, how they are sealed, and whether the result continues the head.
// Adapters call this while they hold the lock of the sequencer.

import type { Candidate, CommitResult, Head, LedgerRecord, Seal, SealedBatch, TreeNode } from '../ledger/index.ts';
import { subtreeCount } from './tree-layout.ts';

/**
 * Seals the new candidates. `existing` are the records that the store found under the scope and name of each candidate. Pure. Exceptions
 * of `seal` pass through; a batch that does not continue the head is a bug of the caller (TypeError).
 */
export function sequence(
  head: Head,
  candidates: readonly Candidate[],
  existing: readonly (LedgerRecord | undefined)[],
  seal: Seal,
): CommitResult {
  rejectTwins(candidates);
  const fresh = candidates.filter((_, place) => existing[place] === undefined);
  if (fresh.length === 0) {
    return { placements: existing.map((record) => ({ added: false, record: record! })), batch: undefined, head };
  }
  const batch = seal(head, fresh);
  checkContinues(head, fresh, batch);
  let next = 0;
  const placements = existing.map((record) =>
    record === undefined ? { added: true, record: batch.records[next++]! } : { added: false, record },
  );
  return { placements, batch, head: batch.head };
}

function rejectTwins(candidates: readonly Candidate[]): void {
  const seen = new Set(candidates.map(({ scope, name }) => `${scope.length} ${scope}${name}`));
  if (seen.size !== candidates.length)
    throw new TypeError('Two candidates of one commit have the same scope and name.');
}

function checkContinues(head: Head, fresh: readonly Candidate[], batch: SealedBatch): void {
  const size = head.size + fresh.length;
  demand(batch.records.length === fresh.length, 'one record a candidate');
  demand(batch.head.size === size, 'a head of the new size');
  let newestMs = head.recordedAtMs;
  for (const [place, record] of batch.records.entries()) {
    const candidate = fresh[place]!;
    demand(record.index === head.size + place, 'indexes without gaps');
    demand(record.scope === candidate.scope && record.name === candidate.name, 'the records in order');
    demand(record.recordedAtMs >= newestMs, 'times that never go back');
    newestMs = record.recordedAtMs;
  }
  demand(batch.head.recordedAtMs === newestMs, 'the time of the newest entry');
  demand(batch.head.frontier.length === subtreeCount(size), 'the frontier of the new size');
  checkNodes(batch.nodes, head.size, size);
}

/** Each leaf, followed by the nodes that it completes: a right child (an odd index) completes its parent. */
function checkNodes(nodes: readonly TreeNode[], from: number, to: number): void {
  let place = 0;
  for (let leaf = from; leaf < to; leaf++) {
    let index = leaf;
    for (let level = 0; ; level++) {
      const node = nodes[place++];
      demand(node?.level === level && node.index === index, 'each completed node once, in order');
      demand(node?.hash.length === 32, 'hashes of 32 bytes');
      if (index % 2 === 0) break;
      index = (index - 1) / 2;
    }
  }
  demand(place === nodes.length, 'no other nodes');
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new TypeError(`The sealed batch does not continue the head: it needs ${what}.`);
}
