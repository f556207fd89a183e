// Maps each reason to its response: the gRPC code, when the same call may be retried, and the detail messages of google.rpc. This is the
// only table; error_reason.proto documents it for callers, and a test compares the two.

import { Code } from '@connectrpc/connect';
import type { ErrorReason } from '../errors.ts';

/** The `type` of a PreconditionFailure. Types are stable. */
type Condition = 'TOKEN' | 'GRAPH' | 'KEY' | 'SIGNER' | 'CLOCK';
/** The `resource_type` of a ResourceInfo. Types are stable. */
type Resource = 'Entry' | 'Task' | 'Workflow' | 'Key' | 'Service' | 'Request';

/**
 * The detail message besides ErrorInfo. `subject` and `name` are metadata keys of the reason; a subject that is no key is used literally.
 * A BadRequest is sent if the fields that caused the error are known.
 */
export type Detail =
  | { readonly as: 'BadRequest' }
  | { readonly as: 'PreconditionFailure'; readonly type: Condition; readonly subject: string }
  | { readonly as: 'ResourceInfo'; readonly type: Resource; readonly name: readonly string[] }
  | { readonly as: 'QuotaFailure' };

export interface Failure {
  readonly code: Code;
  /**
   * After how many seconds the same call may succeed, unless the metadata contain `retry_after_seconds`. Undefined: it fails again until
   * something else has changed.
   */
  readonly retrySeconds?: number;
  /** The call ended before its outcome was known: it may be retried if it is idempotent. */
  readonly isOpen?: true;
  readonly detail?: Detail;
  /** The operator must act. */
  readonly isFault?: true;
}

/** The request itself is invalid. */
const ARGUMENT = { code: Code.InvalidArgument, detail: { as: 'BadRequest' } } as const satisfies Failure;

/** The request fails because of the time or the state. */
function unmet(type: Condition, subject: string): Failure {
  return { code: Code.FailedPrecondition, detail: { as: 'PreconditionFailure', type, subject } };
}

function taken(type: Resource, ...name: string[]): Failure {
  return { code: Code.AlreadyExists, detail: { as: 'ResourceInfo', type, name } };
}

function absent(type: Resource, ...name: string[]): Failure {
  return { code: Code.NotFound, detail: { as: 'ResourceInfo', type, name } };
}

/** A dependency of the service fails. */
function down(retrySeconds: number): Failure {
  return { code: Code.Unavailable, retrySeconds, isFault: true };
}

/** The service is overloaded. Clients retry by this code. */
function busy(retrySeconds: number): Failure {
  return { code: Code.Unavailable, retrySeconds };
}

/** A commit, a restart of a process or a failover takes less. */
const SOON = 1;
/** Interval of attempts to open keys. */
const KEYS_SECONDS = 5;
/** Tokens expire, and disk space becomes free, within minutes. */
const LATER = 30;

const FAILURES = {
  TOKEN_TOO_LARGE: ARGUMENT,
  TOKEN_MALFORMED: ARGUMENT,
  LEVEL_TOO_LOW: unmet('TOKEN', 'level'),
  TYP_INVALID: ARGUMENT,
  HEADER_FORBIDDEN: ARGUMENT,
  ALG_NOT_ALLOWED: ARGUMENT,
  KID_MISSING: ARGUMENT,
  KEY_UNKNOWN: unmet('KEY', 'kid'),
  KEY_REVOKED: unmet('KEY', 'kid'),
  KEY_EXPIRED: unmet('KEY', 'kid'),
  KEY_MISMATCH: ARGUMENT,
  SIGNATURE_INVALID: ARGUMENT,
  CLAIM_MISSING: ARGUMENT,
  CLAIM_INVALID: ARGUMENT,
  PRED_INVALID: ARGUMENT,
  EXT_TOO_LARGE: ARGUMENT,
  EXT_TOO_DEEP: ARGUMENT,
  ISSUER_MISMATCH: ARGUMENT,
  AUDIENCE_MISMATCH: ARGUMENT,
  TOKEN_EXPIRED: unmet('TOKEN', 'exp'),
  IAT_IN_FUTURE: unmet('TOKEN', 'iat'),
  TOKEN_NOT_YET_VALID: unmet('TOKEN', 'nbf'),
  IAT_TOO_OLD: unmet('TOKEN', 'iat'),
  INPUT_HASH_MISMATCH: ARGUMENT,
  OUTPUT_HASH_MISMATCH: ARGUMENT,
  DAG_DUPLICATE_TASK: taken('Task', 'wid', 'jti'),
  DAG_PREDECESSOR_MISSING: unmet('GRAPH', 'pred'),
  DAG_TIME_ORDER: unmet('GRAPH', 'jti'),
  DAG_CYCLE: unmet('GRAPH', 'jti'),
  DAG_TOO_DEEP: unmet('GRAPH', 'jti'),
  DAG_WORKFLOW_MISMATCH: unmet('GRAPH', 'jti'),
  DAG_PREDECESSOR_NOT_APPROVED: unmet('GRAPH', 'jti'),
  TOKEN_REPLAYED: taken('Task', 'wid', 'jti'),
  TOKEN_EQUIVOCATED: taken('Task', 'wid', 'jti'),
  REQUEST_INVALID: ARGUMENT,
  REQUEST_MALFORMED: ARGUMENT,
  MESSAGE_TOO_LARGE: { code: Code.ResourceExhausted },
  METHOD_UNKNOWN: { code: Code.Unimplemented },
  CALLER_UNTRUSTED: { code: Code.Unauthenticated },
  CALLER_ID_INVALID: { code: Code.Unauthenticated },
  HOST_NOT_ALLOWED: { code: Code.PermissionDenied },
  ORIGIN_NOT_ALLOWED: { code: Code.PermissionDenied },
  ISSUER_NOT_ALLOWED: { code: Code.PermissionDenied },
  NOT_AUTHORIZED: { code: Code.PermissionDenied },
  ADMIN_REQUIRED: { code: Code.PermissionDenied },
  IDEMPOTENCY_CONFLICT: taken('Request', 'request_id'),
  DEADLINE_EXCEEDED: { code: Code.DeadlineExceeded, isOpen: true },
  CALL_CANCELLED: { code: Code.Canceled, isOpen: true },
  ENTRY_NOT_FOUND: absent('Entry', 'wid', 'jti'),
  ENTRY_PENDING: { ...absent('Entry', 'wid', 'jti'), retrySeconds: SOON },
  ENTRY_FAILED: absent('Entry', 'wid', 'jti'),
  INDEX_OUT_OF_RANGE: { code: Code.OutOfRange, detail: { as: 'BadRequest' } },
  WORKFLOW_NOT_FOUND: absent('Workflow', 'wid'),
  TREE_SIZE_INVALID: { code: Code.OutOfRange, detail: { as: 'BadRequest' } },
  KEY_NOT_FOUND: absent('Key', 'kid'),
  KEY_STATE_INVALID: unmet('KEY', 'kid'),
  ROTATION_UNSUPPORTED: unmet('SIGNER', 'rotation'),
  KEY_NOT_CURRENT: unmet('KEY', 'current_kid'),
  ISSUER_KEYS_UNAVAILABLE: down(SOON),
  LEDGER_UNAVAILABLE: down(SOON),
  LEDGER_CORRUPT: { code: Code.DataLoss, isFault: true },
  REPLAY_GUARD_UNAVAILABLE: down(SOON),
  IDEMPOTENCY_UNAVAILABLE: down(SOON),
  ONCE_CORRUPT: { code: Code.DataLoss, isFault: true },
  REPLAY_GUARD_FULL: down(LATER),
  CLOCK_UNTRUSTED: {
    ...down(SOON),
    detail: { as: 'PreconditionFailure', type: 'CLOCK', subject: 'wall clock of the service' },
  },
  STORAGE_FULL: down(LATER),
  QUOTA_EXCEEDED: { code: Code.ResourceExhausted, retrySeconds: SOON, detail: { as: 'QuotaFailure' } },
  SIGNER_UNAVAILABLE: down(KEYS_SECONDS),
  SIGNER_BUSY: busy(SOON),
  SIGNER_MISCONFIGURED: { ...unmet('SIGNER', 'signing key'), isFault: true },
  SIGNER_BAD_OUTPUT: down(SOON),
  SERVICE_OVERLOADED: busy(SOON),
  SERVICE_DRAINING: busy(SOON),
  INTERNAL: { code: Code.Internal, isFault: true },
  SERVICE_UNKNOWN: absent('Service', 'service'),
} as const satisfies Record<ErrorReason, Failure>;

/** Returns the response for a reason. */
export function failureOf(reason: ErrorReason): Failure {
  return FAILURES[reason];
}
