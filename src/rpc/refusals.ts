// Refuses a request that no procedure will see, in the words of the protocol that it speaks: gRPC, gRPC-Web, Connect,
// or problem+json for plain HTTP.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { type Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import type { EctError, ErrorReason } from '../errors.ts';
import { codeOf, messageOf } from './errors.ts';
import { connectEndFrame, connectErrorBody, grpcTrailer, grpcWebTrailerFrame, wireFormOf } from './wire-errors.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Plain HTTP statuses where they say more than the one that Connect gives the code. */
const HTTP_STATUS: Partial<Record<ErrorReason, number>> = { METHOD_UNKNOWN: 404, MESSAGE_TOO_LARGE: 413 };

/** An answer that refuses a request. Without a body its headers are the whole answer. */
export interface RefusalMessage {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** The refusal in the form of the protocol that a request speaks. */
export function refusalMessage(method: string | undefined, contentType = '', error: EctError): RefusalMessage {
  const form = method === 'POST' ? wireFormOf(contentType) : undefined;
  switch (form) {
    case 'grpc':
      // Trailers-only: one HEADERS frame that ends the stream.
      return { status: 200, headers: { 'content-type': contentType, ...grpcTrailer(error) }, body: undefined };
    case 'grpc-web':
      return withBody(200, contentType, grpcWebTrailerFrame(error));
    case 'connect-stream':
      return withBody(200, contentType, connectEndFrame(error));
    case 'connect-unary':
      return withBody(codeToHttpStatus(codeOf(error.reason)), 'application/json', connectErrorBody(error));
    default:
      return problem(HTTP_STATUS[error.reason] ?? codeToHttpStatus(codeOf(error.reason)), error);
  }
}

/** Answers with this error. */
export function writeRefusal(request: NodeRequest, response: NodeResponse, error: EctError): void {
  write(response, refusalMessage(request.method, request.headers['content-type'], error));
}

/** Answers a unary call of the Connect protocol with this error, whatever its verb. */
export function writeConnectError(response: NodeResponse, error: EctError): void {
  write(response, withBody(codeToHttpStatus(codeOf(error.reason)), 'application/json', connectErrorBody(error)));
}

/** Answers with a problem document (RFC 9457) that carries the reason. */
export function writeProblem(response: NodeResponse, status: number, error: EctError): void {
  write(response, problem(status, error));
}

function problem(status: number, error: EctError): RefusalMessage {
  const document = { type: 'about:blank', title: STATUS_CODES[status], status, reason: error.reason };
  const body = Buffer.from(`${JSON.stringify({ ...document, detail: messageOf(error) })}\n`);
  return withBody(status, 'application/problem+json', body);
}

function withBody(status: number, contentType: string, body: Uint8Array): RefusalMessage {
  const headers = {
    'content-type': contentType,
    'content-length': String(body.byteLength),
    'x-content-type-options': 'nosniff',
  };
  return { status, headers, body };
}

function write(response: NodeResponse, { status, headers, body }: RefusalMessage): void {
  if (isGone(response)) return;
  if (body === undefined && response instanceof Http2ServerResponse) {
    response.stream.respond({ ':status': status, ...headers }, { endStream: true });
    return;
  }
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body === undefined) response.end();
  else response.end(body);
}

/** Whether the caller has gone, perhaps before its request was handed over: Node throws where such a one is answered on HTTP/2. */
export function isGone(response: NodeResponse): boolean {
  return response instanceof Http2ServerResponse && (response.stream.destroyed || response.stream.closed);
}
