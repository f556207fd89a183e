// A transport of `@connectrpc/connect-node` that loses no response. Since 24.20 and 26.3 the iterator of Node's streams reports
// "Premature close" if an HTTP/2 response has arrived completely before reading begins, with any server: it confuses the end of the
// HTTP/2 stream with the end of the buffer. So the body is read with events.

import type { ClientHttp2Stream } from 'node:http2';
import { Http2SessionManager } from '@connectrpc/connect-node';

type Request = Http2SessionManager['request'];

/** The events that can end a wait for more of a body. */
const CHANGES = ['readable', 'end', 'error', 'close'] as const;

export class WholeResponses extends Http2SessionManager {
  override async request(...request: Parameters<Request>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...request);
    return Object.defineProperty(stream, Symbol.asyncIterator, { value: () => chunksOf(stream) });
  }
}

async function* chunksOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, undefined> {
  let wake = (): void => undefined;
  const onChange = (): void => wake();
  for (const event of CHANGES) stream.on(event, onChange);
  try {
    for (;;) {
      // A destroyed stream has no buffered data.
      const chunk = stream.destroyed ? null : (stream.read() as Buffer | null);
      if (chunk !== null) yield chunk;
      else if (isCut(stream)) throw stream.errored ?? new Error('the response ended before it was complete');
      else if (stream.readableEnded) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    // The reader has stopped, so the stream is ended and its errors are ignored.
    if (!stream.readableEnded) stream.on('error', () => undefined).destroy();
    for (const event of CHANGES) stream.off(event, onChange);
  }
}

/** Whether the stream was reset before the end of its body. */
function isCut({ rstCode, destroyed, readableEnded }: ClientHttp2Stream): boolean {
  return (rstCode ?? 0) !== 0 || (destroyed && !readableEnded);
}
