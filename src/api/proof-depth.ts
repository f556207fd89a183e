// How deep the tree of the ledger can be when a response is made: an inclusion proof has a hash for each level.

import type { AuthorityContext } from '../authority/index.ts';
import type { BatchIssueItem } from '../gen/ect/v1/authority_pb.ts';

/**
 * The number of entries that other calls record while a token of the longest lifetime, a day, is valid: 3,000 a second. A batch that was
 * accepted must be accepted when it is repeated, and return its tokens with receipts of the larger ledger.
 */
const MOST_ENTRIES_MEANWHILE = 2 ** 28;
/** The highest rate of entries: for an hour or two several replicas can record more than the average above (docs/scaling.md). */
const ENTRIES_A_SECOND = 2 ** 15;
/** A batch and its last item may be that much later than the first token. */
const CALL_SECONDS = 60;

/** Returns the maximum number of hashes in an inclusion proof, after so many more entries. */
export function depthOf({ ledger }: AuthorityContext, more = MOST_ENTRIES_MEANWHILE): number {
  return Math.ceil(Math.log2(ledger.size + more));
}

/** How many entries can be recorded while any token of the batch is valid: until then a repeated batch returns it. */
export function entriesWhileValid({ policy }: AuthorityContext, items: readonly BatchIssueItem[]): number {
  const { defaultTtlSeconds, token } = policy;
  let longest = 0;
  for (const { request } of items) longest = Math.max(longest, Number(request?.ttl?.seconds ?? defaultTtlSeconds));
  const seconds = Math.min(longest, token.maxLifetimeSeconds) + token.maxFutureSeconds + CALL_SECONDS;
  return Math.min(seconds * ENTRIES_A_SECOND, MOST_ENTRIES_MEANWHILE);
}
