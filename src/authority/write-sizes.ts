// Estimates of the stored bytes of a call with all indexes, within a sixth of what was measured with SQLite.

import type { Claims } from '../token/index.ts';

/** Columns, keys of indexes, hashes of the tree, and the fixed parts of the leaf and of the provenance. */
const ENTRY_BYTES = 800;
/** The key twice, the digest and the time. */
const HELD_BYTES = 250;
/** A predecessor in the leaf. */
const PREDECESSOR_BYTES = 40;

/** The minimum size of an entry, by its token alone, before the claims are known. */
export function leastEntryBytes(tokenBytes: number): number {
  return ENTRY_BYTES + tokenBytes;
}

/** The size of an entry: `iss` and `wid` are in the token, the leaf, their columns and their indexes. */
export function entryBytes(tokenBytes: number, { iss, wid, pred }: Pick<Claims, 'iss' | 'wid' | 'pred'>): number {
  return ENTRY_BYTES + tokenBytes + 4 * (iss.length + wid.length) + PREDECESSOR_BYTES * pred.length;
}

/** The size of a use of a token, or of a token under a request id. */
export function heldBytes(contentBytes: number, labelBytes = 0): number {
  return HELD_BYTES + contentBytes + labelBytes;
}
