// The connections of the port: HTTP/1.1 and HTTP/2 under one handler, with the limits that keep an idle or hostile peer
// from holding them, and an orderly end.

import { createServer as createHttp1 } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse, performServerHandshake } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import { DEFAULT_LIMITS as CONNECTION_LIMITS, Connection, Passage } from '../h2/index.ts';
import { createFront, type TlsOptions } from './front.ts';
import type { LeanDoor } from './lean-door.ts';
import { type NodeRequest, type NodeResponse, writeRefusal } from './refusals.ts';

/** Limits of one connection. Times are in milliseconds. */
export interface ConnectionLimits {
  /** TLS handshake, or the first bytes without TLS; then the headers of an HTTP/1.1 request. */
  readonly firstBytesMs: number;
  /** Without a call. */
  readonly idleMs: number;
  /** An HTTP/1.1 request with its body: a little more than the longest call. */
  readonly requestMs: number;
  readonly maxConcurrentStreams: number;
  readonly maxHeaderBytes: number;
}

export const DEFAULT_LIMITS: ConnectionLimits = {
  firstBytesMs: 10_000,
  idleMs: 60_000,
  requestMs: 65_000,
  maxConcurrentStreams: 100,
  maxHeaderBytes: 16_384,
};

export interface Connections {
  /** The listening server. */
  readonly front: Server;
  /** Takes no more connections, ends idle ones, and the others after their calls or after the grace. Answers how many were cut off. */
  drain(graceMs: number): Promise<number>;
}

/** Makes the servers behind one port. They do not listen yet. */
export function createConnections(
  tls: TlsOptions | undefined,
  limits: ConnectionLimits,
  events: Events,
  lean: LeanDoor,
  handle: (request: NodeRequest, response: NodeResponse) => void,
): Connections {
  const sockets = new Set<Socket>();
  const connections = new Set<Connection>();
  let isDraining = false;

  const http1 = createHttp1(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.firstBytesMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(1000, limits.firstBytesMs),
    },
    handle,
  );
  // It serves the sockets of the front and never listens itself; its timeouts begin with this event.
  http1.emit('listening');

  const front = createFront({
    tls,
    firstBytesMs: limits.firstBytesMs,
    onHttp1: (socket) => void http1.emit('connection', socket),
    onHttp2: openConnection,
    onFailure: (stage, cause) => events.connectionFailed(stage, cause),
  });
  front.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  function openConnection(socket: Socket): void {
    const passage = new Passage(socket, (inner) => serveInner(inner, socket));
    const { maxConcurrentStreams, maxHeaderBytes, idleMs } = limits;
    const connection = new Connection(socket, {
      limits: { ...CONNECTION_LIMITS, maxConcurrentStreams, maxHeaderBytes, idleMs },
      serve: (stream) => {
        return (stream.head.isTooLarge ? undefined : lean(stream)) ?? passage.carry(stream);
      },
      onFailure: (error) => events.connectionFailed('h2', error),
      onBug: (thrown) => events.bug('h2', thrown),
    });
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
    // Its connection came before the end, its first bytes after it.
    if (isDraining) connection.close();
  }

  /** Serves what the engine passes on. Its own limits stand in front, so those of Node's server are only not in the way. */
  function serveInner(inner: Duplex, socket: Socket): void {
    const session = performServerHandshake(inner, {
      settings: { maxConcurrentStreams: limits.maxConcurrentStreams, maxHeaderListSize: 2 * limits.maxHeaderBytes },
    });
    session.on('error', (error) => events.connectionFailed('h2', error));
    session.on('stream', (stream, headers, _flags, rawHeaders) => {
      const request = new Http2ServerRequest(stream, headers, {}, rawHeaders);
      // Who is calling is said by the caller's own socket, not by the inner end of a passage.
      Object.defineProperty(request, 'socket', { value: socket });
      const response = new Http2ServerResponse(stream);
      if (headerBytes(rawHeaders) <= limits.maxHeaderBytes) handle(request, response);
      else writeRefusal(request, response, new EctError(refuse('MESSAGE_TOO_LARGE', 'the headers are too large')));
    });
  }

  async function drain(graceMs: number): Promise<number> {
    isDraining = true;
    const closed = new Promise<void>((resolve) => front.close(() => resolve()));
    for (const connection of connections) connection.close(); // GOAWAY; open streams go on.
    const endIdle = setInterval(() => http1.closeIdleConnections(), 50);
    http1.closeIdleConnections();
    let cut = 0;
    const grace = setTimeout(() => {
      cut = sockets.size;
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(grace);
    clearInterval(endIdle);
    http1.close();
    return cut;
  }

  return { front, drain };
}

/** The size that HTTP/2 counts. Its own limit binds a peer only from the moment when that peer has acknowledged it. */
function headerBytes(names: readonly string[]): number {
  return names.reduce((sum, text) => sum + text.length + 16, 0);
}
