// The options of a verification, and the verified token that it returns.

import type { ClaimPolicy } from './claim-formats.ts';
import type { Claims } from './claims.ts';
import type { Draft } from './drafts.ts';
import type { Level, LevelPolicy } from './level.ts';

/** The policy for all tokens that this verifier reads. */
export interface TokenPolicy extends ClaimPolicy, LevelPolicy {
  readonly maxTokenBytes: number;
  /** The accepted drafts; at least one. */
  readonly drafts: readonly Draft[];
  /** The accepted `alg` values; each is a row of ALGORITHMS. */
  readonly algorithms: readonly string[];
  readonly maxAgeSeconds: number;
  readonly maxFutureSeconds: number;
}

/** The options for one token. */
export interface VerifyOptions {
  /** Seconds since the epoch. */
  readonly now: number;
  /** For evidence: keys and times are judged as of this second, which is not after `now`. */
  readonly asOf?: number | undefined;
  /** The second in which the ledger recorded this token. If the key is compromised since a later second, the token is still accepted. */
  readonly recordedAt?: number | undefined;
  /** `report`: after a failure, every step that can still run is run. The verdict is the same as with `enforce`, the default. */
  readonly mode?: 'enforce' | 'report';
  /** The verifier, which `aud` must contain. Undefined: the step is skipped. */
  readonly audience?: string | undefined;
  /**
   * `presented`: the token is used now, so it must be fresh and not expired. `recorded`: the token is the record of a past task. It must
   * not be from the future, but it may have expired.
   */
  readonly purpose: 'presented' | 'recorded';
  /** Requires this level if the policy requires less. Whether a ledger contains the token is not checked here. */
  readonly minimumLevel?: Level | undefined;
  /** The hash of the input that was sent with the token, in the form of the claim `inp_hash`. */
  readonly inputHash?: string | undefined;
  readonly outputHash?: string | undefined;
  /** The input itself, for tokens that may use another hash function than SHA-256. */
  readonly input?: Uint8Array | undefined;
  readonly output?: Uint8Array | undefined;
}

/** A verified token. Its claims are as trustworthy as its key, or as the channel if it is unsigned. */
export interface VerifiedToken {
  readonly claims: Claims;
  /** The key that signed; empty for an unsigned object. */
  readonly kid: string;
  /** The level that the token itself proves. Only a ledger knows whether it is recorded (L3). */
  readonly level: 'L1' | 'L2';
  readonly draft: Draft;
  /** The octets that are signed: `header.payload`; for an unsigned object all octets. They are not a token. */
  readonly signingInput: Uint8Array;
  /** SHA-256 of `signingInput`, 32 bytes. It identifies the token independently of the encoding of its signature. */
  readonly digest: Uint8Array;
}
