// The Merkle tree of RFC 6962: how leaves and nodes are hashed, and how the tree grows by its frontier only.

import { hash } from 'node:crypto';
import type { TreeNode } from './store.ts';

/** Bytes of every hash in the tree (SHA-256). */
export const HASH_BYTES = 32;

/** A tree, reduced to what extending it needs. */
export interface TreeState {
  readonly size: number;
  /** Hashes of the perfect subtrees, largest (leftmost) first; empty for size 0. */
  readonly frontier: readonly Uint8Array[];
}

/**
 * A tree after it grew, and every subtree that was completed (level 0 are the leaf hashes): for each leaf in order its hash, then what it
 * completes, from below.
 */
export interface GrownTree extends TreeState {
  readonly nodes: readonly TreeNode[];
}

/** The position of a complete subtree: number `index` from the left at `level`. It spans 2^level leaves. */
export type NodePlace = Pick<TreeNode, 'level' | 'index'>;

/** The hash of a leaf. The prefix byte distinguishes leaves from nodes. */
export function leafHash(leaf: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + leaf.length);
  input[0] = 0x00;
  input.set(leaf, 1);
  return hash('sha256', input, 'buffer');
}

/** Hash of an inner node over its two children. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + left.length + right.length);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return hash('sha256', input, 'buffer');
}

/** Root of the tree without leaves. */
export function emptyRoot(): Uint8Array {
  return hash('sha256', '', 'buffer');
}

/** Appends leaves, with at most two hashes for each, whatever the size. */
export function growTree(state: TreeState, leafHashes: readonly Uint8Array[]): GrownTree {
  const frontier = [...state.frontier];
  const nodes: TreeNode[] = [];
  let size = state.size;
  for (const leaf of leafHashes) {
    let level = 0;
    let index = size;
    let carry = leaf;
    nodes.push({ level, index, hash: carry });
    // An odd index is a right child: its left sibling is the last of the frontier, and the two complete their parent.
    for (let left = leftSibling(frontier, index); left !== undefined; left = leftSibling(frontier, index)) {
      carry = nodeHash(left, carry);
      level += 1;
      index = Math.floor(index / 2);
      nodes.push({ level, index, hash: carry });
    }
    frontier.push(carry);
    size += 1;
  }
  return { size, frontier, nodes };
}

function leftSibling(frontier: Uint8Array[], index: number): Uint8Array | undefined {
  if (index % 2 === 0) return undefined;
  const left = frontier.pop();
  if (left === undefined) throw new TypeError('the frontier is too short for the size');
  return left;
}

/** Root over perfect subtrees, largest (leftmost) first. */
export function rootOf(frontier: readonly Uint8Array[]): Uint8Array {
  return frontier.length === 0 ? emptyRoot() : frontier.reduceRight((right, left) => nodeHash(left, right));
}

/**
 * The perfect subtrees of the leaves from `start` to before `end`, largest first. `start` is 0 or the left edge of a subtree at least as
 * wide as the range, as in every range of a proof.
 */
export function perfectSubtrees(start: number, end: number): readonly NodePlace[] {
  const places: NodePlace[] = [];
  let from = start;
  while (from < end) {
    const width = powerOfTwoBelow(end - from + 1);
    places.push({ level: Math.log2(width), index: from / width });
    from += width;
  }
  return places;
}

/** The largest power of two below `limit` (at least 2): the span of the left child of a node over that many leaves. */
export function powerOfTwoBelow(limit: number): number {
  let power = 1;
  while (power * 2 < limit) power *= 2;
  return power;
}
