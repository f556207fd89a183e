// Reads the body of a request for the Connect runtime, within the deadline of its call.

import type { Calls } from '../../calls/calls.ts';
import { toConnectError } from '../../calls/errors.ts';
import type { OpenCall } from '../../calls/open-call.ts';
import { NO_ROOM_FOR_ARRIVING } from '../../calls/overload.ts';
import { EctError, reject } from '../../errors.ts';
import { announcedBytes, FRAME_PREFIX_BYTES, messageTooLarge } from '../messages/grpc-frame.ts';

/** Reserves more bytes until the call ends. Returns whether there is room. */
export type Reserve = (bytes: number) => boolean;

/** What reading a body needs. */
export interface BodyOptions {
  readonly calls: Calls;
  readonly call: OpenCall;
  readonly reserve: Reserve;
}

/**
 * Yields the parts of the body to the Connect runtime. If the deadline of the call passes, it ends with the error of the call, so that a
 * slow body does not keep the call open.
 */
export async function* requestParts(body: AsyncIterable<Uint8Array>, options: BodyOptions): AsyncGenerator<Uint8Array> {
  try {
    yield* partsOf(body, options);
  } catch (thrown) {
    throw thrown instanceof EctError ? toConnectError(thrown) : thrown;
  }
}

/** The same for our own code: it throws EctError. */
async function* partsOf(body: AsyncIterable<Uint8Array>, { calls, call }: BodyOptions): AsyncGenerator<Uint8Array> {
  calls.arriving(call);
  const parts = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await call.untilOver(parts.next());
      if (next.done === true) return;
      yield next.value;
    }
  } catch (thrown) {
    const error = thrown instanceof EctError ? thrown : endedEarly(thrown);
    if (call.stage === 'unread') call.finish(error);
    throw error;
  }
}

/** The form of a body that is read completely: one framed message, or the message itself. */
export interface WholeBody {
  readonly isFramed: boolean;
  /** The largest message of the method, in bytes. */
  readonly maxBytes: number;
}

/** Reads the whole body, for a method with one request message. Keeps only as many bytes as the error needs. Throws EctError. */
export async function requestWhole(
  body: AsyncIterable<Uint8Array>,
  { isFramed, maxBytes }: WholeBody,
  options: BodyOptions,
): Promise<Buffer> {
  const { call, reserve } = options;
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of partsOf(body, options)) {
    if (!reserve(part.length)) throw NO_ROOM_FOR_ARRIVING;
    parts.push(part);
    length += part.length;
    const limit = isFramed ? 2 * (FRAME_PREFIX_BYTES + maxBytes) : maxBytes;
    if (length > limit || (isFramed && announcedBytes(startOf(parts)) > maxBytes)) break;
  }
  call.requestBytes = length;
  if (!isFramed && length > maxBytes) throw messageTooLarge(maxBytes);
  const [first, second] = parts;
  if (first === undefined || second !== undefined) return Buffer.concat(parts);
  return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
}

/** The first bytes: enough for the prefix of a frame, if there are that many. */
function startOf([first = new Uint8Array(0), ...more]: readonly Uint8Array[]): Buffer {
  if (first.length >= FRAME_PREFIX_BYTES) return Buffer.from(first.buffer, first.byteOffset, FRAME_PREFIX_BYTES);
  return Buffer.concat([first, ...more.slice(0, FRAME_PREFIX_BYTES)]);
}

function endedEarly(cause: unknown): EctError {
  return new EctError(reject('CALL_CANCELLED', 'the request ended before it was complete'), { cause });
}
