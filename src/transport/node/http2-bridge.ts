// HTTP/2 by Node's own server, as an alternative to `http2-server/`. Its requests go to the same handler as those of HTTP/1.1.

import {
  constants,
  createServer,
  type Http2ServerRequest,
  Http2ServerResponse,
  type Http2Session,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { ConnectionLimits } from '../../calls/connection-limits.ts';

export interface NodeHttp2 {
  /** Takes over a socket before the first byte of the connection preface is read. */
  open(socket: Socket): void;
  /**
   * Sends GOAWAY to all peers, and ends their connections when their streams have ended. Node sends one GOAWAY with the last stream that
   * is served: later streams are not served, and the client may retry them.
   */
  close(): void;
}

export interface NodeHttp2Options {
  readonly limits: ConnectionLimits;
  /** Serves a request of this socket. */
  readonly serve: (request: Http2ServerRequest, response: Http2ServerResponse, socket: Socket) => void;
  readonly onFailure: (error: Error) => void;
}

/**
 * A response whose writer waits until each part has been sent. A stream of Node takes in 64 KiB and says that it may have more, so what the
 * peer does not read would not count as unread. The first part may be the only one, and its end should not wait for it.
 */
class PacedResponse extends Http2ServerResponse {
  #isFirst = true;

  override write(chunk: string | Uint8Array, encoding?: BufferEncoding | Written, written?: Written): boolean {
    const onWritten = typeof encoding === 'function' ? encoding : written;
    const hasRoom = super.write(chunk, typeof encoding === 'string' ? encoding : 'utf8', (error) => {
      onWritten?.(error);
      if (!error) this.emit('drain');
    });
    const mayContinue = hasRoom && this.#isFirst;
    this.#isFirst = false;
    return mayContinue;
  }
}

type Written = (error: Error) => void;

/** Creates the server. It does not listen: the front server passes it its sockets. */
export function createNodeHttp2({ limits, serve, onFailure }: NodeHttp2Options): NodeHttp2 {
  const { maxConcurrentStreams, maxHeaderBytes, idleMs } = limits;
  const sessions = new Map<Http2Session, Socket>();
  let opening: Socket | undefined;
  let isClosing = false;
  const server = createServer(
    {
      settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes, enablePush: false },
      Http2ServerResponse: PacedResponse,
    },
    accept,
  );

  function accept(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const { session } = request.stream;
    const socket = session && sessions.get(session);
    if (socket !== undefined) serve(request, response, socket);
  }

  // Otherwise Node would respond to these itself, before they are checked.
  server.on('checkExpectation', accept);
  server.on('checkContinue', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    response.writeContinue();
    accept(request, response);
  });
  // CONNECT has no use here, and no client of ours sends it.
  server.on('connect', ({ stream }: Http2ServerRequest) => {
    stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    stream.session?.close();
  });
  server.on('session', (session: ServerHttp2Session) => {
    // Emitted while the socket is passed on; later the session only exposes a proxy of it.
    if (opening !== undefined) sessions.set(session, opening);
    session.once('close', () => sessions.delete(session));
    session.on('error', onFailure);
    session.setTimeout(idleMs, () => session.close());
  });
  server.on('sessionError', () => undefined);

  return {
    open(socket) {
      opening = socket;
      server.emit('connection', socket);
      opening = undefined;
      if (!isClosing) return;
      for (const [session, its] of sessions) if (its === socket) session.close();
    },
    close() {
      isClosing = true;
      for (const session of sessions.keys()) session.close();
    },
  };
}
