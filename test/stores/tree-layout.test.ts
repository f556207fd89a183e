// Where nodes are kept: with the leaf that completes them, each in the place of its level.

import { expect, test } from 'vitest';
import { growTree } from '../../src/ledger/tree.ts';
import { completingLeaf, hashesByLeaf, subtreeCount } from '../../src/stores/tree-layout.ts';

test('every node of a tree is found with the leaf that completes it, in the place of its level', () => {
  const leaves = Array.from({ length: 300 }, (_, leaf) => Buffer.alloc(32, leaf));
  const { nodes } = growTree({ size: 0, frontier: [] }, leaves);
  const kept = hashesByLeaf(nodes);
  expect(kept).toHaveLength(300);
  expect(kept.flat()).toHaveLength(nodes.length);
  for (const node of nodes) expect(kept[completingLeaf(node)]?.[node.level]).toBe(node.hash);
});

test('a tree has as many perfect subtrees as its frontier', () => {
  let tree = growTree({ size: 0, frontier: [] }, []);
  for (let size = 0; size < 300; size++) {
    expect(subtreeCount(size)).toBe(tree.frontier.length);
    tree = growTree(tree, [new Uint8Array(32)]);
  }
});

test('places are exact for ledgers far beyond 32 bits', () => {
  expect(subtreeCount(2 ** 40 + 5)).toBe(3);
  expect(completingLeaf({ level: 40, index: 0 })).toBe(2 ** 40 - 1);
  expect(completingLeaf({ level: 0, index: 2 ** 52 })).toBe(2 ** 52);
});
