// gRPC-Web in text mode: base64 in both directions, for browsers that cannot read binary streams; the default of the official client. It
// wraps the handler of binary gRPC-Web.

import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { EctError, reject } from '../../errors.ts';
import type { Handle } from '../routed-request.ts';
import { GRPC_WEB_TEXT } from '../wire-errors.ts';

export function transcodeText(handle: Handle): Handle {
  return (request, evict) => {
    const type = request.header.get('content-type') ?? '';
    if (!GRPC_WEB_TEXT.test(type)) return handle(request, evict);
    const header = new Headers(request.header);
    header.set('content-type', type.replace(GRPC_WEB_TEXT, 'application/grpc-web'));
    // The length is that of the base64 text.
    header.delete('content-length');
    const { reserveAnswer } = request;
    const room = reserveAnswer && { reserveAnswer: (bytes: number) => reserveAnswer(textBytes(bytes)) };
    const call = handle({ ...request, ...room, header, body: decoded(request.body) }, evict);
    return { response: call.response.then((answer) => asText(answer, type)), close: () => call.close() };
  };
}

/** Decodes base64 in parts that may end anywhere; each message may end with padding. Throws EctError for anything else. */
async function* decoded(text: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of text) {
    const all = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const whole = all.length - (all.length % 4);
    rest = all.subarray(whole);
    if (whole > 0) yield decodeGroups(all.subarray(0, whole));
  }
  if (rest.length > 0) throw noBase64();
}

const NO_DIGIT = 255;
const PADDING = 61;
const DIGITS = new Uint8Array(256).fill(NO_DIGIT);
Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/').forEach((digit, value) => {
  DIGITS[digit] = value;
});

/**
 * Decodes groups of four characters. Any group may have padding, where Node's decoder would stop. RFC 4648: no other characters, and
 * unused bits are zero.
 */
function decodeGroups(text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((text.length / 4) * 3);
  let length = 0;
  for (let at = 0; at < text.length; at += 4) {
    const padding = text[at + 3] !== PADDING ? 0 : text[at + 2] !== PADDING ? 1 : 2;
    const a = DIGITS[text[at]!]!;
    const b = DIGITS[text[at + 1]!]!;
    const c = padding === 2 ? 0 : DIGITS[text[at + 2]!]!;
    const d = padding > 0 ? 0 : DIGITS[text[at + 3]!]!;
    if (a === NO_DIGIT || b === NO_DIGIT || c === NO_DIGIT || d === NO_DIGIT) throw noBase64();
    const bits = (a << 18) | (b << 12) | (c << 6) | d;
    if (padding > 0 && (bits & (padding === 1 ? 0xff : 0xffff)) !== 0) throw noBase64();
    bytes[length++] = bits >> 16;
    if (padding < 2) bytes[length++] = (bits >> 8) & 0xff;
    if (padding < 1) bytes[length++] = bits & 0xff;
  }
  return bytes.subarray(0, length);
}

function noBase64(): EctError {
  return new EctError(reject('REQUEST_MALFORMED', 'the body is not base64'));
}

/** Encodes bytes as base64, in the few parts of a unary response. */
function textBytes(bytes: number): number {
  return Math.ceil((bytes * 4) / 3) + 4 * MAX_PARTS;
}

const MAX_PARTS = 4;

/** Each part is padded separately, so that a message of a stream is sent when it is ready. */
function asText(answer: UniversalServerResponse, type: string): UniversalServerResponse {
  const header = new Headers(answer.header);
  if (!(header.get('content-type') ?? '').startsWith('application/grpc-web')) return answer;
  header.set('content-type', type);
  header.delete('content-length');
  const { body } = answer;
  return body === undefined ? { ...answer, header } : { ...answer, header, body: encoded(body) };
}

async function* encoded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of body) {
    yield Buffer.from(Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64'), 'latin1');
  }
}
