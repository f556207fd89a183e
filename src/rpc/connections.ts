// The connections of the port: HTTP/1.1 and HTTP/2 under one handler, with the limits that keep an idle or hostile peer
// from holding them, and an orderly end.

import { createServer as createHttp1 } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse, performServerHandshake } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import {
  DEFAULT_LIMITS as CONNECTION_LIMITS,
  Connection,
  headerOf,
  Passage,
  type Receiver,
  type Stream,
} from '../h2/index.ts';
import type { Account, Resources } from '../limits/index.ts';
import { createFront, type TlsOptions } from './front.ts';
import type { Gate } from './gate.ts';
import { Http1Answers } from './http1-answers.ts';
import type { LeanDoor } from './lean-door.ts';
import { type NodeRequest, type NodeResponse, writeRefusal } from './refusals.ts';
import { RejectedStream } from './rejected-stream.ts';

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

/** What serves the requests of the connections. */
export interface Serving {
  /** Looks at the headers of every request but those of `unary`, before anything else is done with it. */
  readonly gate: Gate;
  /** Plain unary gRPC, straight on the HTTP/2 engine. */
  readonly unary: LeanDoor;
  /** Everything else. The gate has let it through. */
  readonly handle: (request: NodeRequest, response: NodeResponse) => void;
  /** The account that a connection pays from as long as no call says more. */
  readonly accountOf: (socket: Socket) => Account;
}

/** Makes the servers behind one port. They do not listen yet. */
export function createConnections(
  tls: TlsOptions | undefined,
  limits: ConnectionLimits,
  events: Events,
  resources: Resources,
  { gate, unary, handle, accountOf }: Serving,
): Connections {
  const { connections: table, memory, reads } = resources;
  const { answerMs } = resources.limits;
  const connections = new Set<Connection>();
  const http1Answers = new Http1Answers(answerMs);
  let isDraining = false;

  const http1 = createHttp1(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.firstBytesMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(1000, limits.firstBytesMs),
    },
    (request, response) => {
      if (!http1Answers.begin(request.socket, response)) return;
      const { method, url: target, headers } = request;
      const rejection = gate({ method, target, contentType: headers['content-type'] }, request.socket);
      if (rejection === undefined) {
        handle(request, response);
        return;
      }
      // Its body is not read, so nothing can follow it.
      if (rejection.penalty !== 'none' || !request.complete) response.setHeader('connection', 'close');
      writeRefusal(request, response, rejection.error);
    },
  );
  // It serves the sockets of the front and never listens itself; its timeouts begin with this event.
  http1.emit('listening');

  const front = createFront({
    tls,
    firstBytesMs: limits.firstBytesMs,
    onHttp1: (socket) => {
      table.attach(socket);
      http1.emit('connection', socket);
    },
    onHttp2: (socket) => {
      table.attach(socket);
      openConnection(socket);
    },
    onFailure: (stage, cause) => events.connectionFailed(stage, cause),
  });
  front.on('connection', (socket) => void table.add(socket));

  function openConnection(socket: Socket): void {
    const passage = new Passage(socket, (inner) => serveInner(inner, socket));
    const { maxConcurrentStreams, maxHeaderBytes, idleMs } = limits;
    const account = accountOf(socket);
    const connection = new Connection(socket, {
      limits: { ...CONNECTION_LIMITS, maxConcurrentStreams, maxHeaderBytes, idleMs, answerMs },
      serve: (stream) => (stream.head.isTooLarge ? undefined : unary(stream)) ?? serveOther(stream, passage),
      turns: {
        get hasTime() {
          return reads.hasTime;
        },
        defer: (goOn) => reads.defer(account.reading, goOn),
      },
      openMemory: (evict) => memory.open(account, evict),
      onFailure: (error) => events.connectionFailed('h2', error),
      onBug: (thrown) => events.bug('h2', thrown),
    });
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
    // Its connection came before the end, its first bytes after it.
    if (isDraining) connection.close();
  }

  /** What is rejected by its headers costs no inner stream. */
  function serveOther(stream: Stream, passage: Passage): Receiver {
    const { head, socket } = stream;
    const contentType = headerOf(head, 'content-type');
    const rejection = gate({ method: head.method, target: head.path, contentType }, socket);
    return rejection === undefined ? passage.carry(stream) : new RejectedStream(stream, contentType, rejection);
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
      cut = table.size;
      for (const socket of table.sockets()) socket.destroy();
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
