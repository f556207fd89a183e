// Port: limits how much a caller may store.

/**
 * What is stored: an entry of the ledger, a use of a token, a token under a request id, a use of the proof of a caller. The last one is
 * stored for minutes, and every call of such a caller needs it, also one that only reads.
 */
export type WriteUse = 'ledger' | 'replay' | 'idempotency' | 'proof';

/**
 * Limits how much is written for callers. `caller` is the authenticated name, or one name for all callers without an identity.
 *
 * The methods are synchronous and write nothing themselves. They reject by EctError: QUOTA_EXCEEDED if the quota of the caller
 * is used up, STORAGE_FULL if the disk is full; then nothing was taken. Changes by administrators (keys, marks) are not limited:
 * they must stay possible when nothing else is.
 */
export interface WriteLimits {
  /** Rejects what `take` would reject now. Called before the work that precedes a write; takes nothing. */
  demand(caller: string, use: WriteUse, bytes: number): void;
  /** Takes the bytes from the quota, immediately before they are written. */
  take(caller: string, use: WriteUse, bytes: number): void;
  /** Refunds what was taken for a write that stored nothing. */
  refund(caller: string, use: WriteUse, bytes: number): void;
}
