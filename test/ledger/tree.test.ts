import { describe, expect, test } from 'vitest';
import {
  emptyRoot,
  growTree,
  leafHash,
  nodeHash,
  perfectSubtrees,
  powerOfTwoBelow,
  rootOf,
} from '../../src/ledger/tree.ts';
import { fc } from '../support/random.ts';
import { leavesOf, naiveRoot } from './naive-tree.ts';

const EMPTY = { size: 0, frontier: [] };
const LEAVES = leavesOf(130);
const HASHES = LEAVES.map(leafHash);

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

describe('hashing', () => {
  test('the root of no leaves is the hash of nothing', () => {
    expect(hex(emptyRoot())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(rootOf([])).toEqual(emptyRoot());
  });

  test('the hash of the empty leaf is that of RFC 6962', () => {
    expect(hex(leafHash(Buffer.alloc(0)))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  });

  test('a leaf that spells two hashes is not taken for their node', () => {
    const [left, right] = [leafHash(Buffer.of(1)), leafHash(Buffer.of(2))];
    expect(leafHash(Buffer.concat([left, right]))).not.toEqual(nodeHash(left, right));
  });
});

describe('growing', () => {
  test('every tree of up to 130 leaves has the root of the definition', () => {
    for (let size = 0; size <= LEAVES.length; size += 1) {
      const { frontier } = growTree(EMPTY, HASHES.slice(0, size));
      expect(hex(rootOf(frontier)), `size ${size}`).toBe(hex(naiveRoot(LEAVES.slice(0, size))));
    }
  });

  test('each complete subtree is reported once, with the hash of its leaves', () => {
    const { nodes } = growTree(EMPTY, HASHES);
    const places = new Set(nodes.map(({ level, index }) => `${level}/${index}`));
    expect(places.size).toBe(nodes.length);
    let expected = 0;
    for (let width = 1; width <= LEAVES.length; width *= 2) expected += Math.floor(LEAVES.length / width);
    expect(nodes.length).toBe(expected);
    for (const { level, index, hash } of nodes) {
      const width = 2 ** level;
      expect(hex(hash)).toBe(hex(naiveRoot(LEAVES.slice(index * width, (index + 1) * width))));
    }
  });

  test('it does not matter how the leaves are cut into batches', () => {
    const whole = growTree(EMPTY, HASHES);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: HASHES.length }), { maxLength: 12 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), HASHES.length];
        let tree = growTree(EMPTY, []);
        const nodes = [];
        for (const [position, edge] of edges.entries()) {
          tree = growTree(tree, HASHES.slice(edges[position - 1] ?? 0, edge));
          nodes.push(...tree.nodes);
        }
        expect(tree.frontier).toEqual(whole.frontier);
        expect(nodes).toEqual(whole.nodes);
      }),
    );
  });

  test('sizes beyond 32 bits grow too', () => {
    const size = 2 ** 40 - 1;
    const frontier = perfectSubtrees(0, size).map(({ level }) => leafHash(Buffer.of(level)));
    const grown = growTree({ size, frontier }, [leafHash(Buffer.from('the last'))]);
    expect(grown.size).toBe(2 ** 40);
    expect(grown.frontier.length).toBe(1);
    expect(grown.nodes.at(-1)).toMatchObject({ level: 40, index: 0 });
  });

  test('a frontier that is too short for the size is a bug of the caller', () => {
    expect(() => growTree({ size: 3, frontier: [] }, [leafHash(Buffer.of(1))])).toThrow(TypeError);
  });
});

test('perfect subtrees cover a tree from left to right, largest first', () => {
  for (let size = 0; size <= 130; size += 1) {
    let covered = 0;
    let narrowest = Number.POSITIVE_INFINITY;
    for (const { level, index } of perfectSubtrees(0, size)) {
      expect(index * 2 ** level).toBe(covered);
      expect(level).toBeLessThan(narrowest);
      narrowest = level;
      covered += 2 ** level;
    }
    expect(covered).toBe(size);
  }
});

test('the power of two below a limit is exact where floating logarithms are not', () => {
  expect(powerOfTwoBelow(2 ** 49)).toBe(2 ** 48);
  expect(powerOfTwoBelow(2 ** 49 + 1)).toBe(2 ** 49);
  expect(powerOfTwoBelow(2)).toBe(1);
});
