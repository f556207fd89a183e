// Converts errors to `google.rpc.Status`, with the details that failures.ts lists for their reasons.

import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { EctError, type ErrorReason, type FieldViolation, type Rejection, reject } from '../errors.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.ts';
import { type Status, StatusSchema } from '../gen/google/rpc/status_pb.ts';
import { type Detail, failureOf } from './failures.ts';

/**
 * The `domain` of every `google.rpc.ErrorInfo` of this service. It names no API version, because reasons stay the same across versions.
 */
const ERROR_DOMAIN = 'ect-authority';

/** The gRPC code of a call that fails for this reason. */
export function codeOf(reason: ErrorReason): Code {
  return failureOf(reason).code;
}

/** The name of a code as gRPC spells it: `INVALID_ARGUMENT`. */
export function codeName(code: Code): string {
  return CODE_NAMES[code];
}

/** Encoded once: rejecting excess load must cost as little as possible. */
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

/** The encoded `grpc-status-details-bin` of shared errors, after their first use. */
const MADE_ONCE = new WeakMap<EctError, string>();

/** An error that is created once and sent often: rejecting excess load must cost as little as possible. */
export function madeOnce(rejection: Rejection): EctError {
  const error = new EctError(rejection);
  MADE_ONCE.set(error, encodeDetails(error));
  return error;
}

/** The error as the value of `grpc-status-details-bin`. */
export function toStatusDetails(error: EctError): string {
  return MADE_ONCE.get(error) ?? encodeDetails(error);
}

function encodeDetails(error: EctError): string {
  return Buffer.from(toBinary(StatusSchema, toStatus(error)))
    .toString('base64')
    .replace(/=+$/, '');
}

/** The error for the Connect runtime, which writes it in the protocol of the call. */
export function toConnectError(error: EctError): ConnectError {
  return new ConnectError(messageOf(error), codeOf(error.reason), undefined, [...detailsOf(error)], error);
}

/** The message of the error, with its remedy. */
export function messageOf(error: EctError): string {
  return `${error.message.replace(/\.$/, '')}. ${error.remedy}`;
}

/** Converts any thrown value to an EctError. A value that is not one is a bug, and its text is not sent. */
export function asEctError(thrown: unknown): EctError {
  if (thrown instanceof EctError) return thrown;
  return new EctError(reject('INTERNAL', 'the service failed'), { cause: thrown });
}

interface Packed {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

function detailsOf(error: EctError): readonly Packed[] {
  // Reasons, messages and metadata were cut when the error was created.
  const { reason, metadata } = error;
  const { retrySeconds, detail } = failureOf(reason);
  const details = [pack(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata })];
  if (retrySeconds !== undefined) {
    details.push(pack(RetryInfoSchema, { retryDelay: retryDelay(metadata['retry_after_seconds'], retrySeconds) }));
  }
  const violations = violationsOf(error);
  if (violations.length > 0) details.push(pack(BadRequestSchema, { fieldViolations: [...violations] }));
  else if (detail !== undefined) details.push(...detailFor(detail, error));
  return details;
}

function pack<D extends DescMessage>(desc: D, value: MessageInitShape<D>): Packed {
  return { desc, value: create(desc, value) };
}

/** The fields of the request that caused the error, as far as they are known. */
function violationsOf({ metadata: { field }, message: description, violations }: EctError): readonly FieldViolation[] {
  return violations.length > 0 || field === undefined ? violations : [{ field, description }];
}

function detailFor(detail: Detail, { metadata, message: description }: EctError): readonly Packed[] {
  switch (detail.as) {
    case 'BadRequest':
      return [];
    case 'PreconditionFailure': {
      const { type, subject } = detail;
      const violations = [{ type, subject: metadata[subject] || subject, description }];
      return [pack(PreconditionFailureSchema, { violations })];
    }
    case 'ResourceInfo': {
      // Each part by itself, since an id may contain the separator.
      const parts = detail.name.flatMap((fact) => metadata[fact] || []);
      const resourceName = parts.map((part) => encodeURIComponent(part)).join('/');
      return [pack(ResourceInfoSchema, { resourceType: detail.type, resourceName, description })];
    }
    case 'QuotaFailure': {
      const { quota: quotaMetric = '', limit = '0' } = metadata;
      const violation = {
        subject: 'caller',
        quotaMetric,
        quotaValue: /^\d{1,18}$/.test(limit) ? BigInt(limit) : 0n,
        description,
      };
      return [pack(QuotaFailureSchema, { violations: [violation] })];
    }
  }
}

/** Whether the operator, not the caller, must act. */
export function isFault(reason: ErrorReason): boolean {
  return failureOf(reason).isFault === true;
}

/** The rejection itself may contain the delay before a retry. */
function retryDelay(known: string | undefined, otherwise: number): { readonly seconds: bigint; readonly nanos: 0 } {
  return { seconds: BigInt(known !== undefined && /^\d{1,9}$/.test(known) ? known : otherwise), nanos: 0 };
}
