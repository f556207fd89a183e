// What the procedures use: the policy, the keys, and the ports.

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

/** The operator's rules for graphs. */
export interface GraphPolicy {
  /** Whether only a compensation or a human review may follow a task that was not approved. */
  readonly predecessorPolicy: boolean;
  /** The `exec_act` values of human reviews, compared exactly. */
  readonly reviewActions: readonly string[];
}

/** The operator's settings. Durations are in seconds. */
export interface AuthorityPolicy {
  readonly token: TokenPolicy;
  readonly graph: GraphPolicy;
  /** The `iss` of the service itself; anonymous callers may use the names below it. */
  readonly issuer: string;
  readonly defaultTtlSeconds: number;
  /** The audience that a token must name to be recorded. Empty: any token of a trusted issuer is recorded. */
  readonly ledgerAudience: string;
  /** Each use of a token is stored at least this long, and at least until `exp` and the clock skew have passed. */
  readonly replayTtlSeconds: number;
}

/** Port: stores the policies that entries name by digest. */
export interface PolicyArchive {
  /**
   * Settles when every policy that has been in force in this process is stored beside the ledger; undefined if all are. Rejects as the
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
  /** The cache of verified signatures. */
  readonly signatures: SignatureCache;
  /** Makes and checks signatures. */
  readonly batcher: SignatureBatcher;
  readonly ledger: Ledger;
  /** Completes pending recordings. */
  readonly recordings: Recordings;
  /** Undefined if the operator disabled replay protection. */
  readonly replay: ReplayGuard | undefined;
  readonly idempotency: IdempotencyStore;
  /** Undefined: the built-in rules, by which each caller issues in its own name, and reads everything. */
  readonly authorizer?: Authorizer | undefined;
  /** The administrators. Undefined: there are none. */
  readonly isAdministrator?: ((caller: Caller) => boolean) | undefined;
  /** Stores the policies of the operator; undefined if there are none. */
  readonly policies?: PolicyArchive | undefined;
  /** Undefined if writes are not limited. */
  readonly writes?: WriteLimits | undefined;
  readonly notices: Notices;
  /** The trusted time in seconds since the epoch, against which tokens are verified. */
  now(): number;
  /** The same for new tokens. CLOCK_UNTRUSTED while the wall clock is not trusted. */
  stamp(): number;
  /** The earliest plausible time, in seconds since the epoch: expired data is deleted by it. */
  earliest(): number;
  /** Uses of tokens that expired until then may have been deleted. Before `now`, unless the clock was set back. */
  forgotten(): number;
}
