// The body of a request as the Connect runtime reads it, inside the deadline of its call.

import { constants, Http2ServerRequest, type ServerHttp2Stream } from 'node:http2';
import { EctError, refuse } from '../errors.ts';
import { toConnectError } from './errors.ts';
import type { OpenCall, Protocol } from './open-call.ts';
import type { NodeRequest } from './refusals.ts';

/**
 * Yields the chunks of the body. Ends with the call's own error when its deadline passes in the middle, so that a body
 * that trickles in holds nothing open. The stream is not destroyed at an early end: the answer still has to leave by it.
 */
export async function* requestBody(request: NodeRequest, call: OpenCall): AsyncGenerator<Uint8Array> {
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
    if (!call.entered) call.finish(error);
    throw toConnectError(error);
  }
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
