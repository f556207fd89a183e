// Writes an error in the format of each protocol. The Connect runtime writes these formats too, but only for calls that reached it.

import { encodeEnvelope } from '@connectrpc/connect/protocol';
import { createEndStreamSerialization, endStreamFlag, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { codeOf, messageOf, toConnectError, toStatusDetails } from '../calls/errors.ts';
import type { EctError } from '../errors.ts';

const connectEndStream = createEndStreamSerialization(undefined);

/** The formats of an error, by the content type of a call. */
export type WireForm = 'grpc' | 'grpc-web' | 'connect-unary' | 'connect-stream';

/** The content type of gRPC-Web in base64. */
export const GRPC_WEB_TEXT = /^application\/grpc-web-text(?=$|[+; ])/i;

/** The format for this content type; undefined: the request is not a call. */
export function wireFormOf(contentType: string | null | undefined): WireForm | undefined {
  const type = (contentType ?? '').toLowerCase();
  if (/^application\/grpc-web(-text)?($|[+; ])/.test(type)) return 'grpc-web';
  if (/^application\/grpc($|[+; ])/.test(type)) return 'grpc';
  if (/^application\/connect\+(proto|json)($|[; ])/.test(type)) return 'connect-stream';
  if (/^application\/(proto|json)($|[; ])/.test(type)) return 'connect-unary';
  return undefined;
}

/** gRPC: sets `grpc-status`, `grpc-message` and `grpc-status-details-bin` in `target`. */
export function setGrpcTrailer(target: Headers, error: EctError): Headers {
  for (const [name, value] of Object.entries(grpcTrailer(error))) target.set(name, value);
  return target;
}

/** The trailer of a failed gRPC call. */
export function grpcTrailer(error: EctError): Readonly<Record<string, string>> {
  return {
    'grpc-status': String(codeOf(error.reason)),
    'grpc-message': encodeGrpcMessage(messageOf(error)),
    'grpc-status-details-bin': toStatusDetails(error),
  };
}

/** The message as a header value: everything but printable ASCII, and `%`, is percent-encoded as UTF-8. */
export function encodeGrpcMessage(message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]+/gu, (text) => {
    const bytes = Buffer.from(text.toWellFormed()).toString('hex').toUpperCase();
    return bytes.replace(/../g, '%$&');
  });
}

/** gRPC-Web: the trailer as the last frame of the body. */
export function grpcWebTrailerFrame(error: EctError): Uint8Array {
  return encodeEnvelope(trailerFlag, trailerSerialize(setGrpcTrailer(new Headers(), error)));
}

/** Connect, streaming: the end-of-stream frame. */
export function connectEndFrame(error: EctError): Uint8Array {
  const end = { error: toConnectError(error), metadata: new Headers() };
  return encodeEnvelope(endStreamFlag, connectEndStream.serialize(end));
}

/** Connect, unary: the JSON body. */
export function connectErrorBody(error: EctError): Uint8Array {
  return errorToJsonBytes(toConnectError(error), undefined);
}
