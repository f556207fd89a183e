// What the procedures work with: the policy, the keys, and the ports behind which the world is.

import type { KeyRing, SignatureBatcher, SignerChoice } from '../keys/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { SignatureCache, TokenPolicy } from '../token/index.ts';
import type { Authorizer } from './authorizer.ts';
import type { Caller } from './caller.ts';
import type { IdempotencyStore } from './idempotency-store.ts';
import type { Notices } from './notices.ts';
import type { OwnKeys } from './own-keys.ts';
import type { Recordings } from './recordings.ts';
import type { ReplayGuard } from './replay-guard.ts';
import type { WriteLimits } from './write-limits.ts';

/** What an operator decides about the graph. */
export interface GraphPolicy {
  /** Whether what was not approved may only be followed by a compensation or a human review. */
  readonly predecessorPolicy: boolean;
  /** The `exec_act` that count as a human review, compared exactly. */
  readonly reviewActions: readonly string[];
}

/** What an operator decides. Durations are seconds. */
export interface AuthorityPolicy {
  readonly token: TokenPolicy;
  readonly graph: GraphPolicy;
  /** The `iss` of the service itself, and the name above those that anonymous callers may use. */
  readonly issuer: string;
  readonly defaultTtlSeconds: number;
  /** The audience that a token must name to be recorded. Empty: any token of a trusted issuer is recorded. */
  readonly ledgerAudience: string;
  /** A use of a token is remembered at least this long, and at least until `exp` and the skew have passed. */
  readonly replayTtlSeconds: number;
}

/** Port: keeps what entries name by the digest of a policy. */
export interface PolicyArchive {
  /**
   * Settles when every policy that has been in force in this process is kept beside the ledger; undefined where each one is. Rejected as the
   * ledger rejects writes.
   */
  kept(): Promise<void> | undefined;
}

export interface AuthorityContext {
  readonly policy: AuthorityPolicy;
  readonly keys: KeyRing;
  readonly signers: SignerChoice;
  /** Undefined if the service has no key manager. */
  readonly ownKeys?: OwnKeys | undefined;
  /** Signatures that were verified lately. */
  readonly signatures: SignatureCache;
  /** By which signatures are made and checked. */
  readonly batcher: SignatureBatcher;
  readonly ledger: Ledger;
  /** Entries of tokens that left before them. */
  readonly recordings: Recordings;
  /** Undefined where the operator turned the guard off. */
  readonly replay: ReplayGuard | undefined;
  readonly idempotency: IdempotencyStore;
  /** Undefined: the built-in rules, by which each caller issues in its own name, and reads everything. */
  readonly authorizer?: Authorizer | undefined;
  /** Which callers administer the service. Undefined: none. */
  readonly isAdministrator?: ((caller: Caller) => boolean) | undefined;
  /** Where the policies of the operator are kept; undefined where there are none. */
  readonly policies?: PolicyArchive | undefined;
  /** Undefined where callers may have anything written. */
  readonly writes?: WriteLimits | undefined;
  readonly notices: Notices;
  /** Seconds since the epoch: the time that tokens are verified by. */
  now(): number;
  /** The same for what is issued. CLOCK_UNTRUSTED while the wall clock is not trusted. */
  stamp(): number;
  /** The earliest time that it can be, in seconds since the epoch: what is kept for a time is forgotten by this. */
  earliest(): number;
  /** Uses of tokens that were kept until then may have been forgotten. Before `now`, unless the clock was set back. */
  forgotten(): number;
}
