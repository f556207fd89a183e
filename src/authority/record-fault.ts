// Finds contradictions in an entry between its leaf, its indexed columns and its content. Every search for damage uses it.

import { EctError } from '../errors.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import { digestOfToken } from '../token/index.ts';
import { readLeaf } from './leaf.ts';
import { digestOfMark } from './marks.ts';

/** The contradiction in a record; undefined if there is none. */
export function recordFault(record: LedgerRecord): string | undefined {
  const leaf = leafOf(record);
  const fault = placeFault(record, leaf);
  if (fault !== undefined || record.content === null) return fault;
  if (leaf?.type !== undefined) {
    return isSame(record.digest, digestOfMark(record.content)) ? undefined : 'its digest is not that of its statement';
  }
  const token = Buffer.from(record.content).toString('latin1');
  return isSame(record.digest, digestOfToken(token)) ? undefined : 'its digest is not that of its token';
}

/** The contradiction between the indexed columns of a record and its leaf. */
export function placeFault(record: LedgerRecord, leaf = leafOf(record)): string | undefined {
  if (leaf === undefined) return 'its leaf is not one that this service writes, or is about another task';
  if (leaf.iss !== record.author) return 'it is listed under another issuer than its leaf names';
  if (leaf.recorded_at !== record.recordedAtMs) return 'it is listed at another time than its leaf names';
  return undefined;
}

/** The leaf of a record; undefined if this service does not write such a leaf. */
export function leafOf(record: LedgerRecord): ReturnType<typeof readLeaf> | undefined {
  try {
    return readLeaf(record);
  } catch (error) {
    if (error instanceof EctError) return undefined;
    throw error;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
