// The framing of gRPC over HTTP/2: each message is one flag byte, four bytes of length and the message itself.

import { EctError, reject } from '../../errors.ts';

/** Flag and length before each message. */
export const FRAME_PREFIX_BYTES = 5;

/** One message as a frame, uncompressed. */
export function writeFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_PREFIX_BYTES);
  return frame;
}

/** Why a body is not exactly one uncompressed message of a unary call. */
export type FrameFault = 'empty' | 'short' | 'large' | 'compressed' | 'more' | 'trailers';

const FAULTS: Readonly<Record<Exclude<FrameFault, 'large'>, string>> = {
  empty: 'the call has no message',
  compressed: 'the message is compressed, but no compression was announced',
  short: 'a message is shorter than its frame announces',
  more: 'the call has more than one message',
  trailers: 'the call has trailers in its body, which only an answer of gRPC-Web has',
};

/** The error of a call with an invalid body. `maxBytes` is the largest message of the method. */
export function frameError(fault: FrameFault, maxBytes: number): EctError {
  return fault === 'large' ? messageTooLarge(maxBytes) : new EctError(reject('REQUEST_MALFORMED', FAULTS[fault]));
}

export function messageTooLarge(maxBytes: number): EctError {
  const message = `the message is larger than ${maxBytes} bytes`;
  return new EctError(reject('MESSAGE_TOO_LARGE', message, { limit_bytes: String(maxBytes) }));
}

/** The length that a frame announces; 0 while its prefix is incomplete. */
export function announcedBytes(start: Buffer): number {
  return start.length < FRAME_PREFIX_BYTES ? 0 : start.readUInt32BE(1);
}

/** The lowest bit of the flags: compressed. gRPC-Web marks trailers by the highest; the others are reserved and ignored. */
const COMPRESSED = 0x01;
const TRAILERS = 0x80;

/**
 * The one message in the body of a unary call, not copied; or what is wrong with the body. A prefix without its
 * content counts as no message.
 */
export function readOnlyFrame(body: Buffer, maxBytes: number): Buffer | FrameFault {
  const fault = faultOfFirst(body, maxBytes);
  if (fault !== undefined) return fault;
  const end = FRAME_PREFIX_BYTES + body.readUInt32BE(1);
  if (body.length > end) {
    const further = faultOfFirst(body.subarray(end), maxBytes) ?? 'more';
    if (further !== 'empty') return further;
  }
  return body.subarray(FRAME_PREFIX_BYTES, end);
}

function faultOfFirst(body: Buffer, maxBytes: number): FrameFault | undefined {
  if (body.length === 0) return 'empty';
  if (body.length < FRAME_PREFIX_BYTES) return 'short';
  if ((body[0]! & TRAILERS) !== 0) return 'trailers';
  const length = body.readUInt32BE(1);
  if (length > maxBytes) return 'large';
  if (body.length < FRAME_PREFIX_BYTES + length) return body.length === FRAME_PREFIX_BYTES ? 'empty' : 'short';
  return (body[0]! & COMPRESSED) === 0 ? undefined : 'compressed';
}
