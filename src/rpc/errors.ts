// The one place where reasons become gRPC codes and errors become messages on the wire.

import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { EctError, type ErrorReason, refuse, remedyFor } from '../errors.ts';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { type Status, StatusSchema } from '../gen/google/rpc/status_pb.ts';

/** The `domain` of every `google.rpc.ErrorInfo` of this service. */
export const ERROR_DOMAIN = 'ect.v1';

/** Long enough for a commit, a restart of the process or a change of instance. */
const RETRY_DELAY = { seconds: 1n, nanos: 0 };

const CODES = {
  TOKEN_TOO_LARGE: Code.InvalidArgument,
  TOKEN_MALFORMED: Code.InvalidArgument,
  LEVEL_TOO_LOW: Code.FailedPrecondition,
  TYP_INVALID: Code.InvalidArgument,
  HEADER_FORBIDDEN: Code.InvalidArgument,
  ALG_NOT_ALLOWED: Code.InvalidArgument,
  KID_MISSING: Code.InvalidArgument,
  KEY_UNKNOWN: Code.FailedPrecondition,
  KEY_REVOKED: Code.FailedPrecondition,
  KEY_EXPIRED: Code.FailedPrecondition,
  KEY_MISMATCH: Code.InvalidArgument,
  SIGNATURE_INVALID: Code.InvalidArgument,
  CLAIM_MISSING: Code.InvalidArgument,
  CLAIM_INVALID: Code.InvalidArgument,
  PRED_INVALID: Code.InvalidArgument,
  EXT_TOO_LARGE: Code.InvalidArgument,
  EXT_TOO_DEEP: Code.InvalidArgument,
  ISSUER_MISMATCH: Code.InvalidArgument,
  AUDIENCE_MISMATCH: Code.InvalidArgument,
  TOKEN_EXPIRED: Code.FailedPrecondition,
  IAT_IN_FUTURE: Code.FailedPrecondition,
  TOKEN_NOT_YET_VALID: Code.FailedPrecondition,
  IAT_TOO_OLD: Code.FailedPrecondition,
  INPUT_HASH_MISMATCH: Code.InvalidArgument,
  OUTPUT_HASH_MISMATCH: Code.InvalidArgument,
  DAG_DUPLICATE_TASK: Code.AlreadyExists,
  DAG_PREDECESSOR_MISSING: Code.FailedPrecondition,
  DAG_TIME_ORDER: Code.FailedPrecondition,
  DAG_CYCLE: Code.FailedPrecondition,
  DAG_TOO_DEEP: Code.FailedPrecondition,
  DAG_WORKFLOW_MISMATCH: Code.FailedPrecondition,
  DAG_PREDECESSOR_NOT_APPROVED: Code.FailedPrecondition,
  TOKEN_REPLAYED: Code.AlreadyExists,
  TOKEN_EQUIVOCATED: Code.AlreadyExists,
  REQUEST_INVALID: Code.InvalidArgument,
  REQUEST_MALFORMED: Code.InvalidArgument,
  MESSAGE_TOO_LARGE: Code.ResourceExhausted,
  METHOD_UNKNOWN: Code.Unimplemented,
  CALLER_UNTRUSTED: Code.Unauthenticated,
  CALLER_ID_INVALID: Code.Unauthenticated,
  HOST_NOT_ALLOWED: Code.PermissionDenied,
  ORIGIN_NOT_ALLOWED: Code.PermissionDenied,
  ISSUER_NOT_ALLOWED: Code.PermissionDenied,
  ADMIN_REQUIRED: Code.PermissionDenied,
  IDEMPOTENCY_CONFLICT: Code.AlreadyExists,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CALL_CANCELLED: Code.Canceled,
  ENTRY_NOT_FOUND: Code.NotFound,
  ENTRY_PENDING: Code.NotFound,
  ENTRY_FAILED: Code.NotFound,
  WORKFLOW_NOT_FOUND: Code.NotFound,
  TREE_SIZE_INVALID: Code.OutOfRange,
  KEY_NOT_FOUND: Code.NotFound,
  KEY_STATE_INVALID: Code.FailedPrecondition,
  ROTATION_UNSUPPORTED: Code.FailedPrecondition,
  KEY_NOT_CURRENT: Code.FailedPrecondition,
  LEDGER_UNAVAILABLE: Code.Unavailable,
  LEDGER_CORRUPT: Code.DataLoss,
  REPLAY_GUARD_UNAVAILABLE: Code.Unavailable,
  IDEMPOTENCY_UNAVAILABLE: Code.Unavailable,
  ONCE_CORRUPT: Code.DataLoss,
  REPLAY_GUARD_FULL: Code.Unavailable,
  CLOCK_UNTRUSTED: Code.Unavailable,
  STORAGE_FULL: Code.Unavailable,
  QUOTA_EXCEEDED: Code.ResourceExhausted,
  SIGNER_UNAVAILABLE: Code.Unavailable,
  SIGNER_BUSY: Code.ResourceExhausted,
  SIGNER_MISCONFIGURED: Code.FailedPrecondition,
  SIGNER_BAD_OUTPUT: Code.Unavailable,
  SERVICE_OVERLOADED: Code.ResourceExhausted,
  SERVICE_DRAINING: Code.Unavailable,
  INTERNAL: Code.Internal,
  SERVICE_UNKNOWN: Code.NotFound,
} as const satisfies Record<ErrorReason, Code>;

/** The gRPC code of a call that fails for this reason. */
export function codeOf(reason: ErrorReason): Code {
  return CODES[reason];
}

/** The name of a code as gRPC spells it: `INVALID_ARGUMENT`. */
export function codeName(code: Code): string {
  return CODE_NAMES[code];
}

/** Spelled once: what is refused because there is too much must cost next to nothing. */
const CODE_NAMES = Object.fromEntries(Object.entries(Code).map(([name, code]) => [code, spell(name)])) as Readonly<
  Record<Code, string>
>;

function spell(name: string): string {
  return name === 'Canceled' ? 'CANCELLED' : name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}

/** The error as `google.rpc.Status`, for the items of a batch and for gRPC trailers. */
export function toStatus(error: EctError): Status {
  const details = detailsOf(error).map(({ desc, value }) => anyPack(desc, create(desc, value)));
  return create(StatusSchema, { code: codeOf(error.reason), message: messageOf(error), details });
}

/** The error as the value of gRPC's `grpc-status-details-bin`. */
export function toStatusDetails(error: EctError): string {
  return Buffer.from(toBinary(StatusSchema, toStatus(error)))
    .toString('base64')
    .replace(/=+$/, '');
}

/** The error for the Connect runtime, which writes it in the protocol of the call. */
export function toConnectError(error: EctError): ConnectError {
  return new ConnectError(messageOf(error), codeOf(error.reason), undefined, [...detailsOf(error)], error);
}

/** What is wrong, and what would mend it. */
export function messageOf(error: EctError): string {
  return `${error.message.replace(/\.$/, '')}. ${remedyFor(error.reason)}`;
}

/** Any thrown value as an EctError: what is not one is a bug of ours, and its text stays inside. */
export function asEctError(thrown: unknown): EctError {
  if (thrown instanceof EctError) return thrown;
  return new EctError(refuse('INTERNAL', 'the service failed'), { cause: thrown });
}

interface Detail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

function detailsOf(error: EctError): readonly Detail[] {
  // Reasons, messages and facts were cut when the error was made.
  const { reason, facts: metadata } = error;
  const details = [detail(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata })];
  if (isRetryable(reason)) details.push(detail(RetryInfoSchema, { retryDelay: retryDelayOf(error) }));
  if (reason === 'REQUEST_INVALID' || error.violations.length > 0) {
    details.push(detail(BadRequestSchema, badRequest(error)));
  }
  return details;
}

function detail<D extends DescMessage>(desc: D, value: MessageInitShape<D>): Detail {
  return { desc, value: create(desc, value) };
}

/** Whether the operator, not the caller, must look at it. */
export function isFault(reason: ErrorReason): boolean {
  const code = codeOf(reason);
  const isOurs = code === Code.Internal || code === Code.DataLoss || code === Code.Unavailable;
  return isOurs || reason === 'SIGNER_MISCONFIGURED';
}

const RETRYABLE: ReadonlySet<ErrorReason> = new Set([
  'SERVICE_OVERLOADED',
  'SIGNER_BUSY',
  'ENTRY_PENDING',
  'QUOTA_EXCEEDED',
]);

/** Whether the same call may succeed a little later. */
function isRetryable(reason: ErrorReason): boolean {
  const code = codeOf(reason);
  return code === Code.Unavailable || code === Code.Aborted || RETRYABLE.has(reason);
}

/** Where it is known how long it takes, the refusal says so. */
function retryDelayOf({ facts: { retry_after_seconds: seconds } }: EctError): typeof RETRY_DELAY {
  return seconds === undefined || !/^\d{1,9}$/.test(seconds) ? RETRY_DELAY : { seconds: BigInt(seconds), nanos: 0 };
}

function badRequest({ facts, message, violations }: EctError): MessageInitShape<typeof BadRequestSchema> {
  const only = { field: facts['field'] ?? '', description: message };
  return { fieldViolations: violations.length === 0 ? [only] : [...violations] };
}
