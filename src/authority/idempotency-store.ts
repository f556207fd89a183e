// Port: the results of calls by the request ids of their callers.

/** A stored result. */
export interface IdempotentResult {
  /** SHA-256 of the request, 32 bytes: another request with the same id is a conflict. */
  readonly requestDigest: Uint8Array;
  /** The token that was issued, or, for other calls, the plan of the call. May be empty. */
  readonly token: string;
}

/**
 * Stores results by request id, so that a retry gets the same result.
 *
 * Atomicity and durability as in ReplayGuard: of concurrent `remember` calls with one key the first one wins, and the others return its
 * result. Errors: IDEMPOTENCY_UNAVAILABLE, ONCE_CORRUPT or STORAGE_FULL.
 */
export interface IdempotencyStore {
  /** The result under the key, if it has not expired at `now` (seconds; the earliest plausible time). */
  findIssued(caller: string, key: string, now: number): Promise<IdempotentResult | undefined>;
  /** Stores `issued` until `keepUntil` (seconds), unless the key exists: then returns the existing result. */
  remember(
    caller: string,
    key: string,
    issued: IdempotentResult,
    keepUntil: number,
    now: number,
  ): Promise<IdempotentResult>;
  close(): Promise<void>;
}
