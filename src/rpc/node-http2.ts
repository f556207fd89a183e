// HTTP/2 by Node's own server, for operators who prefer it to the engine: requests come to the same handler as those of
// HTTP/1.1, and a connection ends in two steps.

import {
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { ConnectionLimits } from './connection-limits.ts';

/** From the announcement that a connection will end until it takes no more calls, where the peer answers no PING. */
const LAST_CALL_MS = 5_000;
const MAX_STREAM_ID = 2 ** 31 - 1;
const NO_ERROR = 0;

export interface NodeHttp2 {
  /** Takes over a socket, from the first byte of the preface. */
  open(socket: Socket): void;
  /** Tells all peers to go, and ends their connections when their streams have ended. */
  close(): void;
}

export interface NodeHttp2Options {
  readonly limits: ConnectionLimits;
  /** Serves a request that came by this socket. */
  readonly serve: (request: Http2ServerRequest, response: Http2ServerResponse, socket: Socket) => void;
  readonly onFailure: (error: Error) => void;
}

/** Makes the server. It never listens: the front hands it its sockets. */
export function createNodeHttp2({ limits, serve, onFailure }: NodeHttp2Options): NodeHttp2 {
  const { maxConcurrentStreams, maxHeaderBytes, idleMs } = limits;
  const sessions = new Map<Http2Session, Socket>();
  let opening: Socket | undefined;
  let isClosing = false;
  const server = createServer(
    { settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes, enablePush: false } },
    (request, response) => {
      const { session } = request.stream;
      const socket = session && sessions.get(session);
      if (socket !== undefined) serve(request, response, socket);
    },
  );
  server.on('session', (session: ServerHttp2Session) => {
    // Emitted while the socket is handed over; the session itself shows only a proxy of it.
    if (opening !== undefined) sessions.set(session, opening);
    session.once('close', () => sessions.delete(session));
    session.on('error', onFailure);
    session.setTimeout(idleMs, () => retire(session));
  });
  server.on('sessionError', () => undefined);

  return {
    open(socket) {
      opening = socket;
      server.emit('connection', socket);
      opening = undefined;
      if (!isClosing) return;
      for (const [session, its] of sessions) if (its === socket) retire(session as ServerHttp2Session);
    },
    close() {
      isClosing = true;
      for (const session of sessions.keys()) retire(session as ServerHttp2Session);
    },
  };
}

/** What was sent before the peer heard of the end is served (RFC 9113, section 6.8). */
function retire(session: ServerHttp2Session): void {
  if (session.closed || session.destroyed) return;
  session.goaway(NO_ERROR, MAX_STREAM_ID);
  const timer = setTimeout(() => session.close(), LAST_CALL_MS);
  session.once('close', () => clearTimeout(timer));
  session.ping(() => session.close());
}
