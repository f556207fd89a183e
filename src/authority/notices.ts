// Port: events for the operator, in addition to the responses to callers.

import type { ErrorReason } from '../errors.ts';

/** A task with its issuer and name, all of them attacker-controlled text. */
export interface NamedTask {
  readonly iss: string;
  readonly wid: string;
  readonly jti: string;
}

/** Called synchronously inside a procedure: an implementation must neither throw nor wait. */
export interface Notices {
  /** An issuer signed two different tokens for one task. `seenBy`: the replay guard, or the ledger. */
  equivocated(task: NamedTask, seenBy: 'guard' | 'ledger'): void;
  /** A token was rejected because its level is below `minimum`. */
  levelRejected(minimum: string): void;
  /** A background append has ended. `reason`: why there is no entry. */
  backgroundAppend(task: NamedTask, reason: ErrorReason | undefined): void;
}
