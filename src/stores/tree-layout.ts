// Stores the hashes of a tree with the leaf that completes them, because they are written with it.

import type { TreeNode } from '../ledger/index.ts';

/**
 * The leaf that completes a subtree: its last one. The hashes that a leaf completes are stored together, from the leaf hash up, so the
 * subtree at `level` has position `level`. They are written with the entry, and read only for proofs.
 */
export function completingLeaf({ level, index }: Pick<TreeNode, 'level' | 'index'>): number {
  return (index + 1) * 2 ** level - 1;
}

/** The hashes of the nodes of a batch, by the leaf that completes them. */
export function hashesByLeaf(nodes: readonly TreeNode[]): readonly (readonly Uint8Array[])[] {
  const leaves: Uint8Array[][] = [];
  for (const { level, hash } of nodes) {
    if (level === 0) leaves.push([hash]);
    else leaves.at(-1)?.push(hash);
  }
  return leaves;
}

/** The number of perfect subtrees of a tree with `size` leaves: the number of one bits. */
export function subtreeCount(size: number): number {
  return onesOf32(size | 0) + onesOf32(Math.floor(size / 2 ** 32));
}

// Adds neighbouring bits, then pairs, then halves of bytes; the multiplication adds the bytes.
function onesOf32(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
