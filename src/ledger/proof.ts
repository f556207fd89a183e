// Creates inclusion and consistency proofs (RFC 6962, 2.1.1 and 2.1.2) in two steps, so that a store is read once: a plan names the
// required subtrees, and assembles the proof from their hashes.

import { type NodePlace, perfectSubtrees, powerOfTwoBelow, rootOf } from './tree.ts';

/** What to read, in order, and how to assemble the hashes (given in the same order). */
export interface Plan<T> {
  readonly wanted: readonly NodePlace[];
  assemble(hashes: readonly Uint8Array[]): T;
}

/** Leaves from `start` to before `end`. A proof is a list of the hashes of such ranges. */
export type LeafRange = readonly [start: number, end: number];

/** Plans the proof that the leaf at `index` is in the tree of `size`; `0 <= index < size`. */
export function planInclusion(index: number, size: number): Plan<readonly Uint8Array[]> {
  return planRanges(inclusionRanges(index, size));
}

/** Plans the proof that the tree of size `first` is a prefix of that of `second`; `1 <= first <= second`. */
export function planConsistency(first: number, second: number): Plan<readonly Uint8Array[]> {
  return planRanges(consistencyRanges(first, second));
}

/**
 * Plans the hash of each range; that of `[0, size]` is the root of the tree of `size`. Ranges must satisfy the rule of `perfectSubtrees`.
 */
export function planRanges(ranges: readonly LeafRange[]): Plan<readonly Uint8Array[]> {
  return planEach(ranges.map(([start, end]) => ({ wanted: perfectSubtrees(start, end), assemble: rootOf })));
}

/** Joins plans into one that needs one read. */
export function planEach<T>(plans: readonly Plan<T>[]): Plan<readonly T[]> {
  return {
    wanted: plans.flatMap((plan) => plan.wanted),
    assemble(hashes) {
      let from = 0;
      return plans.map((plan) => {
        const own = hashes.slice(from, from + plan.wanted.length);
        from += plan.wanted.length;
        if (own.length !== plan.wanted.length) throw new TypeError('a plan is assembled from all the hashes it wanted');
        return plan.assemble(own);
      });
    },
  };
}

/**
 * The ranges of an inclusion proof, from the sibling of the leaf up to the child of the root. Each is a complete subtree, except at the
 * right edge.
 */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (!isWithin(index, 0, size - 1)) throw new TypeError('the index must be within the tree');
  const ranges: LeafRange[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + powerOfTwoBelow(end - start);
    if (index < middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
    }
  }
  return ranges.reverse();
}

/** The ranges of a consistency proof, in the order of RFC 6962. */
function consistencyRanges(first: number, second: number): readonly LeafRange[] {
  if (!isWithin(first, 1, second)) throw new TypeError('the first size must be from 1 to the second');
  const ranges: LeafRange[] = [];
  let [start, end] = [0, second];
  while (end !== first) {
    const middle = start + powerOfTwoBelow(end - start);
    if (first <= middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
    }
  }
  // A subtree from the left edge that ends at `first` is the first tree itself, whose root the verifier knows.
  if (start > 0) ranges.push([start, end]);
  return ranges.reverse();
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
