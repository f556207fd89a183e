// Verifies a copy: reads everything again from the target, and computes the tree from these leaves.

import { growTree, type LedgerRecord, type LedgerStore, leafHash, type TreeState } from '../ledger/index.ts';
import { isCorrupt, rejection } from './rejections.ts';
import { PAGE_ENTRIES } from './source-pages.ts';

/**
 * Reads the entries from `from.size` to before `size` with their stored hashes. Returns the tree that follows from their leaves. Throws
 * if a stored hash differs from that of its leaf.
 */
export async function readBack(store: LedgerStore, name: string, from: TreeState, size: number): Promise<TreeState> {
  let tree: TreeState = from;
  while (tree.size < size) {
    const limit = Math.min(PAGE_ENTRIES, size - tree.size);
    const records = await store.list({ startIndex: tree.size, limit, withContent: false });
    if (records.length !== limit) throw lost(name, tree.size);
    const grown = growTree(
      tree,
      records.map(({ leaf }) => leafHash(leaf)),
    );
    const stored = await store.nodes(grown.nodes).catch((error: unknown) => {
      throw isCorrupt(error) ? lost(name, tree.size) : error;
    });
    const differs = grown.nodes.findIndex(({ hash }, place) => Buffer.compare(hash, stored[place]!) !== 0);
    if (differs >= 0) throw lost(name, tree.size);
    tree = { size: grown.size, frontier: grown.frontier };
  }
  return tree;
}

function lost(name: string, index: number) {
  const message = `What ${name} returns is not what was written, at entry ${index} or in the ${PAGE_ENTRIES} after it.`;
  return rejection('target_differs', message, 'Look at the disk of the target, make it anew, and repeat the copy.');
}

/** Whether two records are the same entry. Erased content equals only erased content. */
export function isSameRecord(a: LedgerRecord, b: LedgerRecord): boolean {
  return (
    a.index === b.index &&
    a.scope === b.scope &&
    a.name === b.name &&
    a.author === b.author &&
    a.recordedAtMs === b.recordedAtMs &&
    isSame(a.digest, b.digest) &&
    isSame(a.leaf, b.leaf) &&
    isSame(a.salt, b.salt) &&
    isSame(a.content, b.content) &&
    isSame(a.provenance, b.provenance)
  );
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}
