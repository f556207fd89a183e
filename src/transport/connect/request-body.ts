// Reads the body of a request for the Connect runtime, within the deadline of its call.

import type { Calls } from '../../calls/calls.ts';
import { toConnectError } from '../../calls/errors.ts';
import type { OpenCall } from '../../calls/open-call.ts';
import { NO_ROOM_FOR_ARRIVING } from '../../calls/overload.ts';
import { EctError, reject } from '../../errors.ts';
import { type BodyMemory, JoinedBytes, releaseCopied } from '../../http2-server/index.ts';
import type { Reservation } from '../../limits/index.ts';
import { announcedBytes, FRAME_PREFIX_BYTES, messageTooLarge } from '../messages/grpc-frame.ts';

/** What reading a body needs. */
export interface BodyOptions {
  readonly calls: Calls;
  readonly call: OpenCall;
  /** Memory until the call ends. */
  readonly memory: BodyMemory;
  /** Resolves when it is the turn of the connection in the fair order of reading. */
  readonly turn: () => Promise<void>;
}

/** The part of the memory of a call that its request takes. */
export class RequestMemory implements BodyMemory {
  readonly #memory: Reservation;
  #bytes = 0;

  constructor(memory: Reservation) {
    this.#memory = memory;
  }

  reserveBody(bytes: number): boolean {
    if (!this.#memory.grow(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Frees so many bytes, or all. */
  freeBody(bytes = Number.POSITIVE_INFINITY): void {
    const freed = Math.min(bytes, this.#bytes);
    this.#bytes -= freed;
    this.#memory.shrink(freed);
  }
}

/** What an object for a part costs besides its bytes. */
const PART_BYTES = 256;

/** Yields the parts of a body that only the Connect runtime reads: it rejects the request by its headers, and should read nothing. */
export async function* requestParts(body: AsyncIterable<Uint8Array>, options: BodyOptions): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of partsOf(body, options)) {
      if (!options.memory.reserveBody(PART_BYTES + part.length)) throw NO_ROOM_FOR_ARRIVING;
      yield part;
    }
  } catch (thrown) {
    throw thrown instanceof EctError ? toConnectError(thrown) : thrown;
  }
}

/**
 * Yields the messages of a stream to the Connect runtime, one framed message at a time. If the deadline of the call passes, it ends with
 * the error of the call, so that a slow body does not keep the call open.
 *
 * The runtime decodes whatever it gets at once, into one object for each message, and adds up all parts of an incomplete message at each
 * of them: a peer could send a thousand empty messages in one part, or one message in a thousand parts.
 */
export async function* requestMessages(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  options: BodyOptions,
): AsyncGenerator<Uint8Array> {
  try {
    yield* messagesOf(body, maxBytes, options);
  } catch (thrown) {
    throw thrown instanceof EctError ? toConnectError(thrown) : thrown;
  }
}

async function* messagesOf(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  options: BodyOptions,
): AsyncGenerator<Uint8Array> {
  const { memory, turn } = options;
  const message = new JoinedBytes(memory);
  let missing = FRAME_PREFIX_BYTES;
  for await (const part of partsOf(body, options)) {
    if (!memory.reserveBody(part.length)) throw NO_ROOM_FOR_ARRIVING;
    for (let at = 0; at < part.length; ) {
      const next = part.subarray(at, at + missing);
      if (!message.add(next)) throw NO_ROOM_FOR_ARRIVING;
      at += next.length;
      missing -= next.length;
      if (missing === 0 && message.length === FRAME_PREFIX_BYTES) {
        missing = announcedBytes(message.head);
        // The runtime rejects the message by its prefix.
        if (missing > maxBytes) missing = 0;
      }
      if (missing > 0) continue;
      // Messages that arrived together do not hold the event loop for longer than others get.
      await turn();
      yield takeAll(message);
      missing = FRAME_PREFIX_BYTES;
    }
    memory.freeBody(part.length);
  }
  // The runtime says what is missing.
  if (message.length > 0) yield takeAll(message);
}

function takeAll(message: JoinedBytes): Buffer {
  const bytes = message.read();
  message.clear();
  return bytes;
}

/** Yields the parts of the body as they arrive. Throws EctError. */
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
  const { call, memory } = options;
  const whole = new JoinedBytes(memory);
  const limit = isFramed ? 2 * (FRAME_PREFIX_BYTES + maxBytes) : maxBytes;
  try {
    for await (const part of partsOf(body, options)) {
      if (!whole.add(part)) throw NO_ROOM_FOR_ARRIVING;
      // Node makes a copy for each part of a body over HTTP/1.1, which would wait for the garbage collector.
      releaseCopied(part);
      if (whole.length > limit || (isFramed && announcedBytes(whole.head) > maxBytes)) break;
    }
    call.requestBytes = whole.length;
    if (!isFramed && whole.length > maxBytes) throw messageTooLarge(maxBytes);
    return whole.read();
  } finally {
    // Of a body that is given up. What was read is kept no more.
    whole.drop();
  }
}

function endedEarly(cause: unknown): EctError {
  return new EctError(reject('CALL_CANCELLED', 'the request ended before it was complete'), { cause });
}
