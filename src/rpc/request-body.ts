// The body of a request as the Connect runtime reads it, inside the deadline of its call.

import { constants, Http2ServerRequest, type ServerHttp2Stream } from 'node:http2';
import { EctError, refuse } from '../errors.ts';
import type { Reserve } from './call-memory.ts';
import type { Calls } from './calls.ts';
import { toConnectError } from './errors.ts';
import { announcedBytes, FRAME_PREFIX_BYTES, messageTooLarge } from './grpc-frame.ts';
import type { OpenCall, Protocol } from './open-call.ts';
import type { NodeRequest } from './refusals.ts';

/** What the reading of a body needs to know. */
export interface BodyOptions {
  readonly calls: Calls;
  readonly call: OpenCall;
  readonly reserve: Reserve;
}

/**
 * Yields the chunks of the body. Ends with the call's own error when its deadline passes in the middle, so that a body
 * that trickles in holds nothing open. The stream is not destroyed at an early end: the answer still has to leave by it.
 */
export async function* requestParts(request: NodeRequest, { calls, call }: BodyOptions): AsyncGenerator<Uint8Array> {
  calls.arriving(call);
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const next = await call.untilOver(chunks.next());
      if (next.done === true) break;
      yield next.value;
    }
    // A reset without an error code ends an HTTP/2 body too. What was cut off is nobody's request, even if it looks whole.
    if (request instanceof Http2ServerRequest && request.stream.aborted) throw endedEarly(undefined);
  } catch (thrown) {
    const error = thrown instanceof EctError ? thrown : endedEarly(thrown);
    if (call.stage === 'unread') call.finish(error);
    throw toConnectError(error);
  }
}

/** What a body that is read whole looks like: one framed message, or the message itself. */
export interface WholeBody {
  readonly isFramed: boolean;
  /** The largest message of the method. */
  readonly maxBytes: number;
}

/** The same as one chunk, for a method with one request message. No more is kept than tells what is wrong with it. */
export async function* requestWhole(
  request: NodeRequest,
  { isFramed, maxBytes }: WholeBody,
  options: BodyOptions,
): AsyncGenerator<Uint8Array> {
  const { call, reserve } = options;
  const parts: Uint8Array[] = [];
  let length = 0;
  const fail = (error: EctError): never => {
    call.finish(error);
    throw toConnectError(error);
  };
  for await (const part of requestParts(request, options)) {
    if (!reserve(part.length)) fail(crowded());
    parts.push(part);
    length += part.length;
    const limit = isFramed ? 2 * (FRAME_PREFIX_BYTES + maxBytes) : maxBytes;
    if (length > limit || (isFramed && announcedBytes(startOf(parts)) > maxBytes)) break;
  }
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  call.requestBytes = bytes.length;
  if (!isFramed && bytes.length > maxBytes) fail(messageTooLarge(maxBytes));
  yield bytes;
}

/** The first bytes, enough for the prefix of a frame if there are that many. */
function startOf([first = new Uint8Array(0), ...more]: readonly Uint8Array[]): Buffer {
  if (first.length >= FRAME_PREFIX_BYTES) return Buffer.from(first.buffer, first.byteOffset, FRAME_PREFIX_BYTES);
  return Buffer.concat([first, ...more.slice(0, FRAME_PREFIX_BYTES)]);
}

function crowded(): EctError {
  return new EctError(refuse('SERVICE_OVERLOADED', 'requests that have not arrived whole take too much memory'));
}

/** How often it is looked at whether an answer has left, in milliseconds. */
const SENT_CHECK_MS = 10;

/** After the answer nobody reads the rest of a request, but HTTP/2 would hold its stream open for it. */
export function closeUnread(request: NodeRequest, protocol: Protocol): void {
  if (!(request instanceof Http2ServerRequest)) return;
  const { stream } = request;
  stream.once(protocol === 'grpc' ? 'wantTrailers' : 'finish', () => setImmediate(closeWhenSent, stream));
}

/** Resets a stream that still receives. The reset must not overtake the last frame of the answer. */
function closeWhenSent(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.readableEnded) return;
  if (stream.state.localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR);
  else setTimeout(closeWhenSent, SENT_CHECK_MS, stream).unref();
}

function endedEarly(cause: unknown): EctError {
  return new EctError(refuse('CALL_CANCELLED', 'the request ended before it was complete'), { cause });
}
