// The head of a store that a ledger is being copied into. No key has signed it, so nothing starts over it.

import type { Head } from '../ledger/index.ts';

const NOTE = 'unfinished copy\n';

/** The head that a copy uses until its last entry, which brings the signed one. */
export function unfinishedHead(tree: Pick<Head, 'size' | 'frontier' | 'recordedAtMs'>): Head {
  const { size, frontier, recordedAtMs } = tree;
  return { size, frontier, recordedAtMs, checkpoint: NOTE };
}

export function isUnfinishedCopy({ checkpoint }: Head): boolean {
  return checkpoint === NOTE;
}
