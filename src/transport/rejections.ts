// Rejects a request before any procedure, in the format of its protocol: gRPC, gRPC-Web, Connect, or problem+json for plain HTTP.

import { STATUS_CODES } from 'node:http';
import { createAsyncIterable, type UniversalServerResponse } from '@connectrpc/connect/protocol';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { codeOf, messageOf } from '../calls/errors.ts';
import type { EctError, ErrorReason } from '../errors.ts';
import {
  connectEndFrame,
  connectErrorBody,
  GRPC_WEB_TEXT,
  grpcTrailer,
  grpcWebTrailerFrame,
  wireFormOf,
} from './wire-errors.ts';

/** HTTP statuses that are more specific than the one that Connect maps the code to. */
const HTTP_STATUS: Partial<Record<ErrorReason, number>> = {
  METHOD_UNKNOWN: 404,
  MESSAGE_TOO_LARGE: 413,
  HOST_NOT_ALLOWED: 421,
};

/** A response that rejects a request. Without a body its headers are the whole response. */
export interface RejectionMessage {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** The rejection in the format of the protocol of the request. */
export function rejectionMessage(method: string | undefined, contentType = '', error: EctError): RejectionMessage {
  const form = method === 'POST' ? wireFormOf(contentType) : undefined;
  switch (form) {
    case 'grpc':
      // Trailers-only: one HEADERS frame that ends the stream.
      return { status: 200, headers: { 'content-type': contentType, ...grpcTrailer(error) }, body: undefined };
    case 'grpc-web':
      return withBody(200, contentType, inText(contentType, grpcWebTrailerFrame(error)));
    case 'connect-stream':
      return withBody(200, contentType, connectEndFrame(error));
    case 'connect-unary':
      return connectError(error);
    default:
      return problem(HTTP_STATUS[error.reason] ?? codeToHttpStatus(codeOf(error.reason)), error);
  }
}

/** Text mode encodes frames as base64. */
function inText(contentType: string, frame: Uint8Array): Uint8Array {
  return GRPC_WEB_TEXT.test(contentType) ? Buffer.from(Buffer.from(frame).toString('base64')) : frame;
}

/** A rejection as a response for the transports. */
export function asResponse({ status, headers, body }: RejectionMessage): UniversalServerResponse {
  const header = new Headers(headers);
  return body === undefined ? { status, header } : { status, header, body: createAsyncIterable([body]) };
}

/** The error of a unary call of the Connect protocol, with any HTTP method. */
export function connectError(error: EctError): RejectionMessage {
  return withBody(codeToHttpStatus(codeOf(error.reason)), 'application/json', connectErrorBody(error));
}

/** A problem document (RFC 9457) that carries the reason. */
export function problem(status: number, error: EctError): RejectionMessage {
  const document = { type: 'about:blank', title: STATUS_CODES[status], status, reason: error.reason };
  const body = Buffer.from(`${JSON.stringify({ ...document, detail: messageOf(error) })}\n`);
  const { headers, ...message } = withBody(status, 'application/problem+json', body);
  // RFC 9111 lets caches keep a 404 or 405 that says nothing, for as long as they see fit.
  return { ...message, headers: { ...headers, 'cache-control': 'no-store' } };
}

function withBody(status: number, contentType: string, body: Uint8Array): RejectionMessage {
  const headers = {
    'content-type': contentType,
    'content-length': String(body.byteLength),
    'x-content-type-options': 'nosniff',
  };
  return { status, headers, body };
}
