import { describe, expect, test } from 'vitest';
import { type Plan, planConsistency, planEach, planInclusion, planRanges } from '../../src/ledger/proof.ts';
import { growTree, leafHash } from '../../src/ledger/tree.ts';
import { verifyConsistency, verifyInclusion } from '../../src/ledger/verify-proof.ts';
import { leavesOf, naivePath, naiveProof, naiveRoot } from './naive-tree.ts';

const MAX = 66;
const LEAVES = leavesOf(MAX);
const NODES = new Map(
  growTree({ size: 0, frontier: [] }, LEAVES.map(leafHash)).nodes.map(({ level, index, hash }) => [
    `${level}/${index}`,
    hash,
  ]),
);
const ROOTS = Array.from({ length: MAX + 1 }, (_, size) => naiveRoot(LEAVES.slice(0, size)));

/** Answers a plan as a store would: with the hashes of complete subtrees, and nothing else. */
function answer<T>(plan: Plan<T>): T {
  return plan.assemble(
    plan.wanted.map(({ level, index }) => {
      const hash = NODES.get(`${level}/${index}`);
      if (hash === undefined) throw new Error(`there is no complete subtree ${level}/${index}`);
      return hash;
    }),
  );
}

function hex(hashes: readonly Uint8Array[]): readonly string[] {
  return hashes.map((hash) => Buffer.from(hash).toString('hex'));
}

describe('L12 inclusion', () => {
  test(`every leaf of every tree of up to ${MAX} has the path of RFC 6962, and it verifies`, () => {
    for (let size = 1; size <= MAX; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const hashes = answer(planInclusion(index, size));
        expect(hex(hashes), `${index} in ${size}`).toEqual(hex(naivePath(index, LEAVES.slice(0, size))));
        const claim = { leafHash: leafHash(LEAVES[index]!), index, size, hashes, root: ROOTS[size]! };
        expect(verifyInclusion(claim), `${index} in ${size}`).toBe(true);
      }
    }
  });

  test('a path verifies for no other leaf, index, size or root', () => {
    for (let size = 1; size <= 20; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const hashes = answer(planInclusion(index, size));
        for (let other = 0; other <= 21; other += 1) {
          const leaf = leafHash(LEAVES[index]!);
          const root = ROOTS[size]!;
          const where = `${index} in ${size}, and ${other}`;
          const claim = { leafHash: leaf, index, size, hashes, root };
          if (other !== index) {
            expect(verifyInclusion({ ...claim, leafHash: leafHash(LEAVES[other]!) }), where).toBe(false);
            expect(verifyInclusion({ ...claim, index: other }), where).toBe(false);
          }
          if (other !== size) expect(verifyInclusion({ ...claim, root: ROOTS[other]! }), where).toBe(false);
          // A path of the right length for another size, with that size's root, must not verify either.
          if (other !== size)
            expect(verifyInclusion({ ...claim, size: other, root: ROOTS[other]! }), where).toBe(false);
        }
      }
    }
  });

  test('a path with one flipped bit, one hash missing, doubled or swapped is rejected', () => {
    for (const [index, size] of [
      [0, 2],
      [4, 7],
      [6, 7],
      [31, 64],
      [65, 66],
    ] as const) {
      const hashes = answer(planInclusion(index, size));
      const claim = { leafHash: leafHash(LEAVES[index]!), index, size, root: ROOTS[size]! };
      for (const broken of manipulations(hashes)) expect(verifyInclusion({ ...claim, hashes: broken })).toBe(false);
    }
  });

  test('numbers out of range and hashes of another length are rejected, not thrown', () => {
    const claim = { leafHash: leafHash(LEAVES[0]!), index: 0, size: 1, hashes: [], root: ROOTS[1]! };
    expect(verifyInclusion(claim)).toBe(true);
    for (const index of [-1, 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(verifyInclusion({ ...claim, index })).toBe(false);
    }
    for (const size of [-1, 0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(verifyInclusion({ ...claim, size })).toBe(false);
    }
    expect(verifyInclusion({ ...claim, leafHash: Buffer.alloc(31), root: Buffer.alloc(31) })).toBe(false);
    expect(verifyInclusion({ ...claim, hashes: Array.from({ length: 10_000 }, () => ROOTS[2]!) })).toBe(false);
  });
});

describe('L11 consistency', () => {
  test(`every pair of sizes up to ${MAX} has the proof of RFC 6962, and it verifies`, () => {
    for (let second = 1; second <= MAX; second += 1) {
      for (let first = 1; first <= second; first += 1) {
        const hashes = answer(planConsistency(first, second));
        expect(hex(hashes), `${first} in ${second}`).toEqual(hex(naiveProof(first, LEAVES.slice(0, second))));
        const claim = { firstSize: first, secondSize: second, hashes };
        const roots = { firstRoot: ROOTS[first]!, secondRoot: ROOTS[second]! };
        expect(verifyConsistency({ ...claim, ...roots }), `${first} in ${second}`).toBe(true);
      }
    }
  });

  test('a proof verifies for no other size and no other root', () => {
    for (let second = 1; second <= 20; second += 1) {
      for (let first = 1; first <= second; first += 1) {
        const hashes = answer(planConsistency(first, second));
        const claim = {
          firstSize: first,
          secondSize: second,
          hashes,
          firstRoot: ROOTS[first]!,
          secondRoot: ROOTS[second]!,
        };
        for (let other = 0; other <= 21; other += 1) {
          const where = `${first} in ${second}, and ${other}`;
          if (other !== first) {
            expect(verifyConsistency({ ...claim, firstRoot: ROOTS[other]! }), where).toBe(false);
            expect(verifyConsistency({ ...claim, firstSize: other, firstRoot: ROOTS[other]! }), where).toBe(false);
          }
          if (other !== second) {
            expect(verifyConsistency({ ...claim, secondRoot: ROOTS[other]! }), where).toBe(false);
            expect(verifyConsistency({ ...claim, secondSize: other, secondRoot: ROOTS[other]! }), where).toBe(false);
          }
        }
      }
    }
  });

  test('a proof with one flipped bit, one hash missing, doubled or swapped is rejected', () => {
    for (const [first, second] of [
      [1, 2],
      [3, 7],
      [4, 7],
      [6, 8],
      [32, 64],
      [33, 66],
      [5, 5],
    ] as const) {
      const hashes = answer(planConsistency(first, second));
      const claim = { firstSize: first, secondSize: second, firstRoot: ROOTS[first]!, secondRoot: ROOTS[second]! };
      for (const broken of manipulations(hashes)) expect(verifyConsistency({ ...claim, hashes: broken })).toBe(false);
    }
  });

  test('the empty tree, sizes out of range and hashes of another length are rejected, not thrown', () => {
    const root = ROOTS[1]!;
    const claim = { firstSize: 1, secondSize: 1, firstRoot: root, secondRoot: root, hashes: [] };
    expect(verifyConsistency(claim)).toBe(true);
    expect(
      verifyConsistency({ ...claim, firstSize: 0, secondSize: 0, firstRoot: ROOTS[0]!, secondRoot: ROOTS[0]! }),
    ).toBe(false);
    expect(verifyConsistency({ ...claim, firstSize: 0, firstRoot: ROOTS[0]! })).toBe(false);
    for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(verifyConsistency({ ...claim, firstSize: size })).toBe(false);
      expect(verifyConsistency({ ...claim, secondSize: size })).toBe(false);
    }
    expect(verifyConsistency({ ...claim, firstRoot: Buffer.alloc(31), secondRoot: Buffer.alloc(31) })).toBe(false);
    expect(verifyConsistency({ ...claim, secondSize: 3 })).toBe(false);
  });
});

describe('planning', () => {
  test('the root of every size comes from its perfect subtrees', () => {
    for (let size = 0; size <= MAX; size += 1)
      expect(hex(answer(planRanges([[0, size]])))).toEqual(hex([ROOTS[size]!]));
  });

  test('several plans are answered by one read', () => {
    const plans = [planInclusion(3, 9), planInclusion(8, 9), planConsistency(4, 9)];
    expect(answer(planEach(plans))).toEqual(plans.map(answer));
  });

  test('what cannot be planned is a bug of the caller', () => {
    expect(() => planInclusion(3, 3)).toThrow(TypeError);
    expect(() => planInclusion(-1, 3)).toThrow(TypeError);
    expect(() => planConsistency(0, 3)).toThrow(TypeError);
    expect(() => planConsistency(4, 3)).toThrow(TypeError);
    expect(() => planInclusion(0, 2).assemble([])).toThrow(TypeError);
  });
});

/** Every way to damage a list of hashes by one bit of a byte or by one whole hash. */
function* manipulations(hashes: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  const extra = ROOTS[2]!;
  yield [...hashes, extra];
  yield [extra, ...hashes];
  for (const [position, hash] of hashes.entries()) {
    for (let bit = 0; bit < hash.length * 8; bit += 1) {
      const flipped = Uint8Array.from(hash);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      yield hashes.with(position, flipped);
    }
    yield hashes.toSpliced(position, 1);
    yield hashes.toSpliced(position, 0, hash);
    yield hashes.with(position, hash.subarray(1));
    const next = hashes[position + 1];
    if (next !== undefined) yield hashes.with(position, next).with(position + 1, hash);
  }
}
