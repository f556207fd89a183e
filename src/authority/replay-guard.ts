// Port: who has seen which token. One atomic step, so that "seen?" and "remember" can never be torn apart.

/** One use of a token by one verifier. */
export interface TokenUse {
  /** The audience that verified, then `iss`, `wid` and `jti`: the scope in which a token is used once. */
  readonly audience: string;
  readonly iss: string;
  readonly wid: string;
  readonly jti: string;
  /** When the token was issued, in seconds since the epoch: it was not used long before that. */
  readonly iat: number;
  /** SHA-256 of the signing input, 32 bytes. Not of the token: ECDSA signatures are malleable. */
  readonly digest: Uint8Array;
  /** The signing input itself, so that an equivocation can be shown. Without the signature it is no token. */
  readonly signingInput: string;
  /** The caller and its name for its call; empty for none. */
  readonly requestId: string;
}

/** What is known of a use. */
export type Claim =
  /** Never seen; now remembered. */
  | 'fresh'
  /** Seen under the same, non-empty request id with the same digest: the caller repeats its own call. */
  | 'repeated'
  /** Seen with the same digest under another request id, or under none. */
  | 'replayed'
  /** Seen with another digest: two different tokens for one task. */
  | Equivocated;

/** The token that was seen first. */
export interface Equivocated {
  /** Its signing input. Empty where a guard with a bound had no room to keep it, or keeps digests alone. */
  readonly firstSigningInput: string;
}

/**
 * Remembers uses.
 *
 * Atomicity: of any number of concurrent claims of one scope exactly one is `fresh`, across every process that shares
 * the store. Durability: a `fresh` answer survives a crash (the memory adapter excepted). Retention: a use is kept at
 * least until `keepUntil`; an adapter with a bound rejects new uses rather than forget a live one (it may leave out
 * signing inputs), and one that may have forgotten uses rejects tokens from before. Failures: EctError REPLAY_GUARD_UNAVAILABLE,
 * ONCE_CORRUPT, REPLAY_GUARD_FULL or STORAGE_FULL, never a guess.
 */
export interface ReplayGuard {
  /**
   * `now` and `keepUntil` are seconds since the epoch; uses whose `keepUntil` is before `now` may be forgotten. `now` is the
   * earliest time that it can be, so no jump of a clock frees a token.
   */
  claim(use: TokenUse, keepUntil: number, now: number): Promise<Claim>;
  /** What `claim` would answer now. Remembers nothing, so a later claim may be answered otherwise. */
  look(use: TokenUse, now: number): Promise<Claim>;
  close(): Promise<void>;
}
