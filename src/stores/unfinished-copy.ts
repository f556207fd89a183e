// The head of an incomplete copy of a ledger. It is not signed, so that no service starts with it.

import type { Head } from '../ledger/index.ts';

const NOTE = 'unfinished copy\n';

/** The head until the last entry, which brings the signed one. */
export function unfinishedHead(tree: Pick<Head, 'size' | 'frontier' | 'recordedAtMs'>): Head {
  const { size, frontier, recordedAtMs } = tree;
  return { size, frontier, recordedAtMs, checkpoint: NOTE };
}

export function isUnfinishedCopy({ checkpoint }: Head): boolean {
  return checkpoint === NOTE;
}
