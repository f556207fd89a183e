// Reads and writes the messages of unary calls that go through the Connect runtime, within limits and in slices. The runtime handles the
// protocols (headers, codes, trailers) and gets empty messages instead.

import { createRegistry, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Method } from '../../calls/method-table.ts';
import type { OpenCall } from '../../calls/open-call.ts';
import { NO_ROOM_FOR_REQUEST } from '../../calls/overload.ts';
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts';
import { releaseBytes } from '../../http2-server/index.ts';
import { FRAME_PREFIX_BYTES, frameError, readOnlyFrame, writeFrame } from '../messages/grpc-frame.ts';
import { decodeBase64 } from '../messages/reading/base64.ts';
import { announcedSize, decompress, isIdentity } from '../messages/reading/decompress.ts';
import { malformed } from '../messages/reading/faults.ts';
import type { Codec } from '../messages/reading/read-message.ts';
import { readRequest } from '../messages/reading/read-request.ts';
import { writeMessage } from '../messages/writing/write-message.ts';
import { wireFormOf } from '../wire-errors.ts';
import type { BodyOptions } from './request-body.ts';

/** The encoding of the message of a unary call, in its request and in its response. */
export interface UnaryForm {
  /** gRPC and gRPC-Web write a prefix before it. */
  readonly isFramed: boolean;
  readonly codec: Codec;
  readonly encoding: string;
}

type MessageReader = () => Promise<unknown>;

/** One call in the runtime. */
export interface Exchange {
  readonly call: OpenCall;
  /** Undefined if the runtime rejects the request by its headers. */
  form: UnaryForm | undefined;
  /**
   * Decompresses and reads the request, once, when its call has begun: until then it is bytes, as few as arrived, and read it takes many
   * times as much memory. Rejects with EctError.
   */
  read?: MessageReader;
  /** The response, after it was written. */
  answer?: Uint8Array;
}

/** The types that an Any in our responses may contain: the details of failed batch items. Only JSON needs them. */
const DETAILS = createRegistry(file_google_rpc_error_details);
/**
 * Default values such as `valid: false` and `index: 0` are written: people, and clients without the schema, read what is present. Clients
 * with the schema read both forms alike.
 */
export const JSON_OPTIONS = { registry: DETAILS, alwaysEmitImplicit: true };
/** The encodings that the runtime serves; text forms of gRPC-Web are not among them. */
const KNOWN_CODEC =
  /^application\/(?:grpc|grpc-web|grpc\+(?:proto|json)|grpc-web\+(?:proto|json)|proto|json)\s*(?:;|$)/i;
const READABLE = new Set(['identity', 'gzip']);

/** The encoding that the headers of a POST name; undefined if it is not served. */
export function unaryForm(header: Headers): UnaryForm | undefined {
  const contentType = header.get('content-type') ?? '';
  const form = wireFormOf(contentType);
  if (form === undefined || form === 'connect-stream' || !KNOWN_CODEC.test(contentType)) return undefined;
  const isFramed = form !== 'connect-unary';
  const encoding = header.get(isFramed ? 'grpc-encoding' : 'content-encoding') ?? 'identity';
  if (!READABLE.has(encoding)) return undefined;
  return { isFramed, codec: /[/+]json\b/i.test(contentType) ? 'json' : 'proto', encoding };
}

/** Removes the headers that are not true for an empty message. */
export function hideMessage(header: Headers): void {
  for (const name of ['content-length', 'content-encoding', 'grpc-encoding']) header.delete(name);
}

/** Takes the message out of a complete body. Returns the body for the runtime. Throws EctError. */
export function takeMessage(
  body: Buffer,
  method: Method,
  exchange: Exchange,
  form: UnaryForm,
  options: BodyOptions,
): Uint8Array {
  exchange.read = form.isFramed
    ? framedReader(body, method, form, options)
    : messageReader(form.encoding, body, method, form, options);
  return emptyMessage(form);
}

function framedReader(body: Buffer, method: Method, form: UnaryForm, options: BodyOptions): MessageReader {
  const { maxBytes } = method;
  const frame = readOnlyFrame(body, maxBytes);
  if (typeof frame !== 'string') return messageReader('identity', frame, method, form, options);
  if (frame !== 'compressed' || form.encoding === 'identity') throw frameError(frame, maxBytes);
  return messageReader(form.encoding, body.subarray(FRAME_PREFIX_BYTES), method, form, options);
}

function messageReader(
  encoding: string,
  bytes: Buffer,
  { descriptor, maxBytes }: Method,
  { codec }: UnaryForm,
  { call, memory }: BodyOptions,
): MessageReader {
  const size = announcedSize(encoding, bytes, maxBytes);
  call.messageBytes = size;
  let unread: Buffer | undefined = bytes;
  call.onStop(() => {
    if (unread !== undefined) releaseBytes(unread);
    unread = undefined;
  });
  return async () => {
    const arrived = unread;
    if (arrived === undefined) throw new TypeError('a request is read once');
    unread = undefined;
    if (!isIdentity(encoding) && !memory.reserveBody(size)) throw NO_ROOM_FOR_REQUEST;
    const message = await decompress(encoding, arrived, call.signal);
    return readRequest(descriptor.input, codec, message, call.signal);
  };
}

/** The encoding of a Connect GET, which has its message in the query; undefined if the runtime rejects the request. */
export function unaryGetForm(url: string): UnaryForm | undefined {
  const { searchParams: query } = new URL(url);
  const codec = query.get('encoding');
  const encoding = query.get('compression') ?? 'identity';
  if (!query.has('message') || (codec !== 'json' && codec !== 'proto') || !READABLE.has(encoding)) return undefined;
  return { isFramed: false, codec, encoding };
}

/** Takes the message out of the URL of a GET. Returns the URL with an empty message. Throws EctError. */
export function takeMessageOfGet(
  href: string,
  method: Method,
  exchange: Exchange,
  form: UnaryForm,
  options: BodyOptions,
): string {
  const url = new URL(href);
  const { searchParams: query } = url;
  const text = query.get('message') ?? '';
  const bytes = query.get('base64') === '1' ? decodeBase64(text) : Buffer.from(text);
  if (bytes === undefined) throw malformed('the query parameter message is not base64');
  exchange.read = messageReader(form.encoding, bytes, method, form, options);
  query.set('message', form.codec === 'json' ? '{}' : '');
  for (const name of ['base64', 'compression']) query.delete(name);
  return url.href;
}

/** Writes the response of the procedure. */
export async function writeUnary(method: Method, answer: unknown, exchange: Exchange): Promise<void> {
  const { output } = method.descriptor;
  const { form } = exchange;
  if (form === undefined) throw new TypeError('a request was served that has no form');
  const message = answer as MessageInitShape<DescMessage>;
  exchange.answer = await writeMessage(output, form.codec, message, JSON_OPTIONS, exchange.call.signal);
}

/** The response of the runtime, with the written message instead of the empty one. */
export function withAnswer(
  response: UniversalServerResponse,
  bytes: Uint8Array,
  form: UnaryForm,
): UniversalServerResponse {
  const { body } = response;
  if (body === undefined) return response;
  if (!form.isFramed) {
    response.header?.set('content-length', String(bytes.length));
    return { ...response, body: only(bytes) };
  }
  return {
    ...response,
    body: replaceFirst(body as AsyncIterable<Uint8Array>, emptyMessage(form).length, writeFrame(bytes)),
  };
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* replaceFirst(
  body: AsyncIterable<Uint8Array>,
  length: number,
  first: Uint8Array,
): AsyncGenerator<Uint8Array> {
  let left = length;
  yield first;
  for await (const part of body) {
    const rest = part.subarray(Math.min(left, part.length));
    left -= part.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}

function emptyMessage({ isFramed, codec }: UnaryForm): Uint8Array {
  const message = Buffer.from(codec === 'json' ? '{}' : '');
  return isFramed ? writeFrame(message) : message;
}
