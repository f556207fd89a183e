// Port: which token was issued under a caller's request id.

/** An answered Issue, as it is remembered. */
export interface IdempotentResult {
  /** SHA-256 of the request, 32 bytes: another request under the same key is a conflict. */
  readonly requestDigest: Uint8Array;
  /** The token that was made for it; of a call that is named as a whole, what it is to do. May be empty. */
  readonly token: string;
}

/**
 * Remembers issued tokens by request id, so that a retry gets the same token.
 *
 * Atomicity and durability as in ReplayGuard: of concurrent `remember` calls under one key the first wins and every
 * other is answered with the winner's. Failures: EctError IDEMPOTENCY_UNAVAILABLE, ONCE_CORRUPT or STORAGE_FULL.
 */
export interface IdempotencyStore {
  /** What is remembered under the key, if `now` (seconds; the earliest time that it can be) is not past its end. */
  findIssued(caller: string, key: string, now: number): Promise<IdempotentResult | undefined>;
  /** Remembers `issued` until `keepUntil` (seconds), unless the key is taken: then answers what holds it. */
  remember(
    caller: string,
    key: string,
    issued: IdempotentResult,
    keepUntil: number,
    now: number,
  ): Promise<IdempotentResult>;
  close(): Promise<void>;
}
