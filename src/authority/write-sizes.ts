// What is kept of a call, in bytes on the disk with all indexes: within a sixth of what SQLite was measured to take.

import type { Claims } from '../token/index.ts';

/** Columns, keys of indexes, hashes of the tree, and the fixed parts of the leaf and of the provenance. */
const ENTRY_BYTES = 800;
/** The key twice, the digest and the time. */
const HELD_BYTES = 250;
/** A predecessor in the leaf. */
const PREDECESSOR_BYTES = 40;

/** The least that an entry takes, by its token alone: before the claims are known. */
export function leastEntryBytes(tokenBytes: number): number {
  return ENTRY_BYTES + tokenBytes;
}

/** An entry of the ledger: `iss` and `wid` stand in the token, the leaf, their columns and their indexes. */
export function entryBytes(tokenBytes: number, { iss, wid, pred }: Pick<Claims, 'iss' | 'wid' | 'pred'>): number {
  return ENTRY_BYTES + tokenBytes + 4 * (iss.length + wid.length) + PREDECESSOR_BYTES * pred.length;
}

/** A use of a token, or a token under a request id. */
export function heldBytes(contentBytes: number, labelBytes = 0): number {
  return HELD_BYTES + contentBytes + labelBytes;
}
