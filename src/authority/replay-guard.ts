// Port: stores the uses of tokens. Checking and storing a use is one atomic step.

/** One use of a token by one verifier. */
export interface TokenUse {
  /** The audience that verified, then `iss`, `wid` and `jti`: the scope in which a token is used once. */
  readonly audience: string;
  readonly iss: string;
  readonly wid: string;
  readonly jti: string;
  /** When the token was issued, in seconds since the epoch: it was not used long before that. */
  readonly iat: number;
  /** SHA-256 of the signing input, 32 bytes. Not of the token, because ECDSA signatures are malleable. */
  readonly digest: Uint8Array;
  /** The signing input itself, as evidence of an equivocation. Without the signature it is not a token. */
  readonly signingInput: string;
  /** The caller and its request id; empty for none. */
  readonly requestId: string;
}

/** The outcome of a claim. */
export type Claim =
  /** Not used before; now stored. */
  | 'fresh'
  /** Used with the same, non-empty request id and the same digest: the caller repeats its own call. */
  | 'repeated'
  /** Used with the same digest under another request id, or under none. */
  | 'replayed'
  /** Used with another digest: two different tokens for one task. */
  | Equivocated;

/** The token that was used first. */
export interface Equivocated {
  /** Its signing input. Empty if a guard of limited size did not store it, or stores only digests. */
  readonly firstSigningInput: string;
}

/**
 * Stores uses.
 *
 * Atomicity: of any number of concurrent claims of one scope exactly one is `fresh`, across all processes that share the store.
 * Durability: a `fresh` use survives a crash (except in the memory adapter). Retention: a use is stored at least until `keepUntil`. An
 * adapter of limited size rejects new uses rather than delete an unexpired one (it may omit signing inputs), and one that may have lost
 * uses rejects tokens from before. Errors: REPLAY_GUARD_UNAVAILABLE, ONCE_CORRUPT, REPLAY_GUARD_FULL or STORAGE_FULL.
 */
export interface ReplayGuard {
  /**
   * `now` and `keepUntil` are seconds since the epoch; uses with a `keepUntil` before `now` may be deleted. `now` is the earliest
   * plausible time, so that no jump of a clock frees a token.
   */
  claim(use: TokenUse, keepUntil: number, now: number): Promise<Claim>;
  /** What `claim` would return now. Stores nothing, so a later claim may return something else. */
  look(use: TokenUse, now: number): Promise<Claim>;
  close(): Promise<void>;
}
