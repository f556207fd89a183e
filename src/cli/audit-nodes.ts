// Compares the stored nodes of a tree with the nodes that follow from its leaves.

import { EctError } from '../errors.ts';
import {
  type AuditEnd,
  type AuditFault,
  type LedgerRecord,
  type LedgerStore,
  leafHash,
  nodeHash,
  type TreeNode,
} from '../ledger/index.ts';

export type NodePlace = Pick<TreeNode, 'level' | 'index'>;

/** Returns the stored node at a place; undefined if it is absent or damaged. */
export type ReadNode = (place: NodePlace) => Promise<Uint8Array | undefined>;

/**
 * Compares the stored nodes of the tree with the nodes that follow from the leaves. Each node is compared with its stored children, so a
 * damaged leaf or node is reported alone, without every node above it.
 */
export function nodeChecks(
  read: ReadNode,
  { size, frontier }: AuditEnd,
  faults: AuditFault[],
): (record: LedgerRecord) => Promise<void> {
  /** For each level, the left child whose sibling has not come yet. Initially these are the nodes of the previous audit. */
  const left: Uint8Array[] = [];
  let level = 0;
  for (const hash of frontier.toReversed()) {
    // The widths of the perfect subtrees are the binary digits of the size. The smallest one comes first here.
    while (Math.floor(size / 2 ** level) % 2 === 0) level++;
    left[level++] = hash;
  }
  return async ({ index, leaf }) => {
    let [level, at, expected] = [0, index, leafHash(leaf)];
    for (;;) {
      const stored = await read({ level, index: at });
      if (stored === undefined || Buffer.compare(stored, expected) !== 0) {
        if (level === 0) faults.push({ index, fault: 'its leaf is not the one that the tree was built from' });
        else faults.push({ index: null, fault: `node ${at} of level ${level} does not follow from what is below it` });
      }
      const hash = stored ?? expected;
      if (at % 2 === 0) {
        left[level] = hash;
        return;
      }
      [level, at, expected] = [level + 1, (at - 1) / 2, nodeHash(left[level] ?? hash, hash)];
    }
  };
}

/** Returns the places that the entry at `index` completes, from its leaf upwards: the nodes that its check reads. */
export function placesOf(index: number): readonly NodePlace[] {
  const places: NodePlace[] = [];
  for (let [level, at] = [0, index]; ; [level, at] = [level + 1, (at - 1) / 2]) {
    places.push({ level, index: at });
    if (at % 2 === 0) return places;
  }
}

export async function readNode(store: LedgerStore, place: NodePlace): Promise<Uint8Array | undefined> {
  try {
    return (await store.nodes([place]))[0];
  } catch (error) {
    if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return undefined;
    throw error;
  }
}
