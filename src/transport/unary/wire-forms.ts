// How plain unary calls are written over HTTP/2: in the frames of gRPC and gRPC-Web, or as the bare messages of Connect, in protobuf or
// JSON. The Connect router serves all other forms.

import { encodeEnvelope } from '@connectrpc/connect/protocol';
import { trailerFlag } from '@connectrpc/connect/protocol-grpc-web';
import { readConnectTimeout, readGrpcTimeout } from '../../calls/deadline.ts';
import type { Protocol } from '../../calls/open-call.ts';
import { OVERLOADED } from '../../calls/overload.ts';
import type { EctError } from '../../errors.ts';
import { type Body, headerOf, type RequestHead, type Stream, writeHeaderBlock } from '../../http2-server/index.ts';
import type { Fields } from '../browser-rules.ts';
import {
  announcedBytes,
  FRAME_PREFIX_BYTES,
  frameError,
  messageTooLarge,
  readOnlyFrame,
} from '../messages/grpc-frame.ts';
import type { Codec } from '../messages/reading/read-message.ts';
import { rejectionMessage } from '../rejections.ts';
import { grpcTrailer } from '../wire-errors.ts';

/** How one protocol writes unary calls. */
export interface UnaryWireForm {
  readonly protocol: Protocol;
  readonly codec: Codec;
  /** Whether messages have the 5-byte prefix of gRPC. */
  readonly isFramed: boolean;
  /** The timeout of the call, in milliseconds. Throws EctError for an invalid header. */
  timeoutMs(head: RequestHead): number | undefined;
  /** Whether a body is already too long. */
  isTooLong(body: Body, maxBytes: number): boolean;
  /** The one message of a complete body. Throws EctError. */
  messageIn(body: Buffer, maxBytes: number): Buffer;
  /** Sends a response: the message, with its frame if this form has frames. */
  answer(stream: Stream, message: Buffer): void;
  /** Sends an error as the whole response. */
  reject(stream: Stream, error: EctError): void;
}

/** Returns the form that the headers of a request name; undefined: the Connect router decides. */
export type FormOf = (head: RequestHead) => UnaryWireForm | undefined;

/** Returns the CORS fields for this origin; without an origin, those of every response. */
export type FieldsFor = (origin: string | undefined) => Fields;

/** The forms of one server. */
export function createUnaryWireForms(fieldsFor: FieldsFor): FormOf {
  const grpcWeb = grpcWebForm(fieldsFor);
  const connectProto = connectForm('proto', fieldsFor);
  const connectJson = connectForm('json', fieldsFor);
  const formOf = (type: string | undefined): UnaryWireForm | undefined => {
    switch (type) {
      case 'application/grpc':
      case 'application/grpc+proto':
        return GRPC;
      case 'application/grpc-web':
      case 'application/grpc-web+proto':
        return grpcWeb;
      case 'application/proto':
        return connectProto;
      case 'application/json':
        return connectJson;
      default:
        return undefined;
    }
  };
  return (head) => {
    if (head.method !== 'POST') return undefined;
    const form = formOf(headerOf(head, 'content-type')?.toString());
    if (form === undefined) return undefined;
    const encoding = headerOf(head, form.isFramed ? 'grpc-encoding' : 'content-encoding');
    return encoding === undefined || encoding === 'identity' ? form : undefined;
  };
}

const GRPC_FIELDS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
/** Encoded once: this block is the same on every connection, because it does not use the dynamic table. */
const GRPC_HEADERS = writeHeaderBlock(GRPC_FIELDS);
const GRPC_OK = writeHeaderBlock([['grpc-status', '0']]);

/** The shared part of gRPC and gRPC-Web. */
const FRAMED: Pick<UnaryWireForm, 'codec' | 'isFramed' | 'timeoutMs' | 'isTooLong' | 'messageIn'> = {
  codec: 'proto',
  isFramed: true,
  timeoutMs: (head) => readGrpcTimeout(headerOf(head, 'grpc-timeout')?.toString()),
  // One message, and of a second one as many bytes as the error needs.
  isTooLong: (body, maxBytes) =>
    announcedBytes(body.head) > maxBytes || body.length > 2 * (FRAME_PREFIX_BYTES + maxBytes),
  messageIn: (body, maxBytes) => {
    const frame = readOnlyFrame(body, maxBytes);
    if (typeof frame === 'string') throw frameError(frame, maxBytes);
    return frame;
  },
};

const GRPC: UnaryWireForm = {
  ...FRAMED,
  protocol: 'grpc',
  answer: (stream, frame) => stream.answer(GRPC_HEADERS, frame, GRPC_OK),
  reject: (stream, error) => stream.respond(error === OVERLOADED ? GRPC_OVERLOADED : grpcRejection(error), true),
};

/** Encoded once: rejecting excess load must cost as little as possible. */
const GRPC_OVERLOADED = grpcRejection(OVERLOADED);

function grpcRejection(error: EctError): Buffer {
  return writeHeaderBlock([...GRPC_FIELDS, ...Object.entries(grpcTrailer(error))]);
}

/** The trailer of a successful response, as the last frame of its body. */
const WEB_OK = Buffer.from(encodeEnvelope(trailerFlag, Buffer.from('grpc-status: 0\r\n')));

function grpcWebForm(fieldsFor: FieldsFor): UnaryWireForm {
  const headersFor = headersOf('application/grpc-web+proto', fieldsFor);
  return {
    ...FRAMED,
    protocol: 'grpc-web',
    answer: (stream, frame) => stream.answer(headersFor(stream), Buffer.concat([frame, WEB_OK]), NO_TRAILERS),
    reject: (stream, error) => respond(stream, error, fieldsFor),
  };
}

function connectForm(codec: Codec, fieldsFor: FieldsFor): UnaryWireForm {
  const headersFor = headersOf(`application/${codec}`, fieldsFor);
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
      stream.answer(Buffer.concat([headersFor(stream), length]), message, NO_TRAILERS);
    },
    reject: (stream, error) => respond(stream, error, fieldsFor),
  };
}

/** The headers of a successful response of this type. All responses to requests without an origin share a block. */
function headersOf(type: string, fieldsFor: FieldsFor): (stream: Stream) => Buffer {
  const blockFor = (origin: string | undefined) =>
    writeHeaderBlock([[':status', '200'], ['content-type', type], ...Object.entries(fieldsFor(origin))]);
  const shared = blockFor(undefined);
  return ({ head }) => {
    const origin = originOf(head);
    return origin === undefined ? shared : blockFor(origin);
  };
}

/** Sends the error as headers and a body, as in all protocols but gRPC. */
function respond(stream: Stream, error: EctError, fieldsFor: FieldsFor): void {
  const { head } = stream;
  const { status, headers, body } = rejectionMessage(head.method, headerOf(head, 'content-type')?.toString(), error);
  const fields = { ...headers, ...fieldsFor(originOf(head)) };
  stream.respond(writeHeaderBlock([[':status', String(status)], ...Object.entries(fields)]), false);
  if (body !== undefined) stream.write(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  stream.end();
}

function originOf(head: RequestHead): string | undefined {
  return headerOf(head, 'origin')?.toString();
}

const NO_TRAILERS = Buffer.alloc(0);
