// Verifies inclusion and consistency proofs with only roots and leaves, as an auditor does.

import { HASH_BYTES, nodeHash } from './tree.ts';

/** An inclusion proof for verification. Everything except `root` is attacker-controlled. */
export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly index: number;
  readonly size: number;
  /** From the sibling of the leaf up to the child of the root. */
  readonly hashes: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Whether the proof shows the leaf at `index` under `root`. Never throws; a proof with too many hashes is invalid. */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { index, size, hashes } = claim;
  if (!isWithin(size, 1, Number.MAX_SAFE_INTEGER) || !isWithin(index, 0, size - 1)) return false;
  if (![claim.leafHash, claim.root, ...hashes].every(isHash)) return false;
  // The paths up from the leaf and from the last leaf: they meet where the subtree of the leaf reaches the right edge.
  let [node, last] = [index, size - 1];
  let hash = claim.leafHash;
  for (const sibling of hashes) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      [node, last] = climbToRightChild(node, last);
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isEqual(hash, claim.root);
}

/** A consistency proof for verification. Everything except the roots is attacker-controlled. */
export interface ConsistencyClaim {
  readonly firstSize: number;
  readonly secondSize: number;
  readonly firstRoot: Uint8Array;
  readonly secondRoot: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** Whether the first tree is a prefix of the second. Never throws. There is no proof from the empty tree: false. */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { firstSize, secondSize, firstRoot, secondRoot } = claim;
  if (!isWithin(secondSize, 1, Number.MAX_SAFE_INTEGER) || !isWithin(firstSize, 1, secondSize)) return false;
  if (![firstRoot, secondRoot, ...claim.hashes].every(isHash)) return false;
  if (firstSize === secondSize) return claim.hashes.length === 0 && isEqual(firstRoot, secondRoot);
  // Starts with the last perfect subtree of the first tree. If that is the whole first tree, its root is not in the proof.
  let [node, last] = [firstSize - 1, secondSize - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  const [start, ...rest] = node === 0 ? [firstRoot, ...claim.hashes] : claim.hashes;
  if (start === undefined) return false;
  let first = start;
  let second = start;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      first = nodeHash(sibling, first);
      second = nodeHash(sibling, second);
      [node, last] = climbToRightChild(node, last);
    } else {
      second = nodeHash(second, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isEqual(first, firstRoot) && isEqual(second, secondRoot);
}

/** On the right edge a node without a sibling moves up unchanged, so levels are skipped until it is a right child. */
function climbToRightChild(node: number, last: number): [node: number, last: number] {
  let [up, lastUp] = [node, last];
  while (up !== 0 && up % 2 === 0) [up, lastUp] = [half(up), half(lastUp)];
  return [up, lastUp];
}

// Sizes may exceed 2^31, where bit operators overflow.
function half(value: number): number {
  return Math.floor(value / 2);
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function isHash(value: Uint8Array): boolean {
  return value instanceof Uint8Array && value.length === HASH_BYTES;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
