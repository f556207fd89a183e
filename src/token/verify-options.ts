// What is asked about a token, and what is known of one that was verified.

import type { ClaimPolicy } from './claim-formats.ts';
import type { Claims } from './claims.ts';
import type { Draft } from './drafts.ts';
import type { Level, LevelPolicy } from './level.ts';

/** What holds for every token that this verifier reads. */
export interface TokenPolicy extends ClaimPolicy, LevelPolicy {
  readonly maxTokenBytes: number;
  /** The drafts that are read; at least one. */
  readonly drafts: readonly Draft[];
  /** Allowed `alg` values; each is a row of ALGORITHMS. */
  readonly algorithms: readonly string[];
  readonly maxAgeSeconds: number;
  readonly maxFutureSeconds: number;
}

/** What is asked about one token. */
export interface VerifyOptions {
  /** Seconds since the epoch. */
  readonly now: number;
  /** Evidence: keys and times are judged as of this second, which is not after `now`. */
  readonly asOf?: number | undefined;
  /** The second in which the ledger recorded exactly this token: a key that is compromised since a later one was good then. */
  readonly recordedAt?: number | undefined;
  /** `report`: every step that can still run after a failure is run. The verdict is that of `enforce`, the default. */
  readonly mode?: 'enforce' | 'report';
  /** The verifier. Undefined: the step is skipped. */
  readonly audience?: string | undefined;
  /**
   * `presented`: the token is acted upon now, so it must be alive and fresh. `recorded`: it is read as the record of a
   * task that was done; it must not come from the future, but it may have expired.
   */
  readonly purpose: 'presented' | 'recorded';
  /** A level that is wanted where the policy asks for less. Whether a ledger holds the token is not looked at here. */
  readonly minimumLevel?: Level | undefined;
  /** The hash of the input that came along, as the claim `inp_hash` has it. */
  readonly inputHash?: string | undefined;
  readonly outputHash?: string | undefined;
  /** The octets themselves, for tokens that may bind them under another hash than SHA-256. */
  readonly input?: Uint8Array | undefined;
  readonly output?: Uint8Array | undefined;
}

/** A token that was verified: from here on its claims can be trusted as far as its key, or its channel where it has none. */
export interface VerifiedToken {
  readonly claims: Claims;
  /** The key that signed; empty for an unsigned object. */
  readonly kid: string;
  /** What the token is by itself: whether it is recorded (L3), a ledger knows. */
  readonly level: 'L1' | 'L2';
  readonly draft: Draft;
  /** The octets that are signed: `header.payload`; every octet of an unsigned object. It is no token by itself. */
  readonly signingInput: Uint8Array;
  /** SHA-256 of `signingInput`, 32 bytes: what identifies the token, whichever spelling its signature has. */
  readonly digest: Uint8Array;
}
