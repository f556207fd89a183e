// How a plain unary call is spelled over HTTP/2: in the frames and the trailer of gRPC, or as the bare messages of Connect, in
// protobuf or JSON. These are the forms that need no runtime; every other form is left to the Connect router.

import type { EctError } from '../errors.ts';
import { type Body, headerOf, type RequestHead, type Stream, writeHeaderBlock } from '../h2/index.ts';
import type { Fields } from './browser-rules.ts';
import { OVERLOADED } from './calls.ts';
import { readConnectTimeout, readGrpcTimeout } from './deadline.ts';
import { announcedBytes, FRAME_PREFIX_BYTES, frameError, messageTooLarge, readOnlyFrame } from './grpc-frame.ts';
import type { Protocol } from './open-call.ts';
import type { Codec } from './reading/read-message.ts';
import { connectError } from './refusals.ts';
import { grpcTrailer } from './wire-errors.ts';

/** One spelling of unary calls. */
export interface DirectForm {
  readonly protocol: Protocol;
  readonly codec: Codec;
  /** Whether messages have the prefix of gRPC. */
  readonly isFramed: boolean;
  /** What its caller waits, in milliseconds. Throws EctError for a header that is no timeout. */
  timeoutMs(head: RequestHead): number | undefined;
  /** Whether enough of a body has come to refuse it. */
  isTooLong(body: Body, maxBytes: number): boolean;
  /** The one message of a whole body. Throws EctError. */
  messageIn(body: Buffer, maxBytes: number): Buffer;
  /** Sends an answer: the message, in its frame where this form has frames. */
  answer(stream: Stream, message: Buffer): void;
  /** Sends the error as the whole answer. */
  refuse(stream: Stream, error: EctError): void;
}

/** Answers the form that the headers of a request announce; undefined for one that the router has to look at. */
export type FormOf = (head: RequestHead) => DirectForm | undefined;

/** The forms of one server. `fields` stand in each of its answers over Connect. */
export function createDirectForms(fields: Fields): FormOf {
  const connectProto = connectForm('proto', Object.entries(fields));
  const connectJson = connectForm('json', Object.entries(fields));
  return (head) => {
    if (head.method !== 'POST') return undefined;
    const type = headerOf(head, 'content-type');
    switch (type) {
      case 'application/grpc':
      case 'application/grpc+proto':
        return isPlain(head, 'grpc-encoding') ? GRPC : undefined;
      case 'application/proto':
      case 'application/json':
        // A page may read what its origin lets it read, which the router knows.
        if (headerOf(head, 'origin') !== undefined || !isPlain(head, 'content-encoding')) return undefined;
        return type === 'application/json' ? connectJson : connectProto;
      default:
        return undefined;
    }
  };
}

function isPlain(head: RequestHead, name: 'grpc-encoding' | 'content-encoding'): boolean {
  const encoding = headerOf(head, name);
  return encoding === undefined || encoding === 'identity';
}

const GRPC_FIELDS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
/** Made once: blocks mean the same on every connection. */
const GRPC_HEADERS = writeHeaderBlock(GRPC_FIELDS);
const GRPC_OK = writeHeaderBlock([['grpc-status', '0']]);

const GRPC: DirectForm = {
  protocol: 'grpc',
  codec: 'proto',
  isFramed: true,
  timeoutMs: (head) => readGrpcTimeout(headerOf(head, 'grpc-timeout')?.toString()),
  // One message, and of a second one what tells what is wrong with it.
  isTooLong: (body, maxBytes) =>
    announcedBytes(body.head) > maxBytes || body.length > 2 * (FRAME_PREFIX_BYTES + maxBytes),
  messageIn: (body, maxBytes) => {
    const frame = readOnlyFrame(body, maxBytes);
    if (typeof frame === 'string') throw frameError(frame, maxBytes);
    return frame;
  },
  answer: (stream, frame) => stream.answer(GRPC_HEADERS, frame, GRPC_OK),
  refuse: (stream, error) => stream.respond(error === OVERLOADED ? GRPC_OVERLOADED : grpcRefusal(error), true),
};

/** Made once: what is refused because there is too much must cost next to nothing. */
const GRPC_OVERLOADED = grpcRefusal(OVERLOADED);

function grpcRefusal(error: EctError): Buffer {
  return writeHeaderBlock([...GRPC_FIELDS, ...Object.entries(grpcTrailer(error))]);
}

function connectForm(codec: Codec, fields: readonly (readonly [string, string])[]): DirectForm {
  const headers = writeHeaderBlock([[':status', '200'], ['content-type', `application/${codec}`], ...fields]);
  return {
    protocol: 'connect',
    codec,
    isFramed: false,
    timeoutMs: (head) => readConnectTimeout(headerOf(head, 'connect-timeout-ms')?.toString()),
    isTooLong: (body, maxBytes) => body.length > maxBytes,
    messageIn: (body, maxBytes) => {
      if (body.length > maxBytes) throw messageTooLarge(maxBytes);
      return body;
    },
    answer: (stream, message) => {
      const length = writeHeaderBlock([['content-length', String(message.length)]]);
      stream.answer(Buffer.concat([headers, length]), message, NO_TRAILERS);
    },
    refuse: (stream, error) => {
      const { status, headers: ofError, body } = connectError(error);
      stream.respond(writeHeaderBlock([[':status', String(status)], ...Object.entries(ofError), ...fields]), false);
      if (body !== undefined) stream.write(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
      stream.end();
    },
  };
}

const NO_TRAILERS = Buffer.alloc(0);
