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

/** Answers with this error. */
export function writeRefusal(request: NodeRequest, response: NodeResponse, error: EctError): void {
  const contentType = request.headers['content-type'];
  const form = request.method === 'POST' ? wireFormOf(contentType) : undefined;
  switch (form) {
    case 'grpc':
      writeGrpc(response, contentType ?? '', error);
      break;
    case 'grpc-web':
      write(response, 200, contentType ?? '', grpcWebTrailerFrame(error));
      break;
    case 'connect-stream':
      write(response, 200, contentType ?? '', connectEndFrame(error));
      break;
    case 'connect-unary':
      write(response, codeToHttpStatus(codeOf(error.reason)), 'application/json', connectErrorBody(error));
      break;
    default:
      writeProblem(response, HTTP_STATUS[error.reason] ?? codeToHttpStatus(codeOf(error.reason)), error);
  }
}

/** Answers with a problem document (RFC 9457) that carries the reason. */
export function writeProblem(response: NodeResponse, status: number, error: EctError): void {
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, reason: error.reason };
  const body = Buffer.from(`${JSON.stringify({ ...problem, detail: messageOf(error) })}\n`);
  write(response, status, 'application/problem+json', body);
}

// Trailers-only: one HEADERS frame that ends the stream.
function writeGrpc(response: NodeResponse, contentType: string, error: EctError): void {
  const headers = { 'content-type': contentType, ...grpcTrailer(error) };
  if (isGone(response)) return;
  if (response instanceof Http2ServerResponse) {
    response.stream.respond({ ':status': 200, ...headers }, { endStream: true });
  } else {
    response.writeHead(200, headers).end();
  }
}

function write(response: NodeResponse, status: number, contentType: string, body: Uint8Array): void {
  if (isGone(response)) return;
  response.statusCode = status;
  response.setHeader('content-type', contentType);
  response.setHeader('content-length', body.byteLength);
  response.setHeader('x-content-type-options', 'nosniff');
  response.end(body);
}

/** Whether the caller has gone, perhaps before its request was handed over: Node throws where such a one is answered on HTTP/2. */
export function isGone(response: NodeResponse): boolean {
  return response instanceof Http2ServerResponse && (response.stream.destroyed || response.stream.closed);
}
