// A connection of `@connectrpc/connect-node` that loses no response. Since 24.20 and 26.3 the iterator of Node's streams reports
// "Premature close" where an HTTP/2 response has arrived whole before its reader begins, whatever the server: it takes the end of the
// HTTP/2 stream for the end of the buffer. So the body is read by its events.

import type { ClientHttp2Stream } from 'node:http2';
import { Http2SessionManager } from '@connectrpc/connect-node';

type Request = Http2SessionManager['request'];

/** What can end a wait for more of a body. */
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
      // A stream that was destroyed keeps no body.
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
    // Who stops reading ends the stream; its last error is nobody's.
    if (!stream.readableEnded) stream.on('error', () => undefined).destroy();
    for (const event of CHANGES) stream.off(event, onChange);
  }
}

/** A stream that is reset ends its body too. */
function isCut({ rstCode, destroyed, readableEnded }: ClientHttp2Stream): boolean {
  return (rstCode ?? 0) !== 0 || (destroyed && !readableEnded);
}
