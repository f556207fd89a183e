// The connections of the port: HTTP/1.1 and HTTP/2 with one handler, limits against idle or hostile peers, and a graceful shutdown.

import { createServer as createHttp1 } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Caller } from '../authority/index.ts';
import type { Rejection } from '../calls/call-admission.ts';
import type { ConnectionLimits } from '../calls/connection-limits.ts';
import { NO_PENALTY } from '../calls/penalty.ts';
import { OwnContext } from '../concurrency/own-context.ts';
import { EctError, reject } from '../errors.ts';
import {
  DEFAULT_LIMITS as CONNECTION_LIMITS,
  Connection,
  headerOf,
  type Receiver,
  type RequestHead,
  type Stream,
} from '../http2-server/index.ts';
import type { Account, ReadLanes, Resources } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { BrowserRequest, BrowserRules } from './browser-rules.ts';
import { RejectedStream } from './http2/rejected-stream.ts';
import { serveStream } from './http2/requests.ts';
import { createListener, type TlsOptions } from './listener.ts';
import { createNodeHandler, type Early } from './node/handler.ts';
import { createNodeHttp2 } from './node/http2-bridge.ts';
import { MeteredSocket } from './node/metered-socket.ts';
import { NodeAnswers } from './node/response-deadlines.ts';
import { rejectionMessage } from './rejections.ts';
import type { RequestCheck } from './request-check.ts';
import { type RequestLine, streamLine } from './request-line.ts';
import type { Handle } from './routed-request.ts';
import type { UnaryFastPath } from './unary/fast-path.ts';

export interface Connections {
  /** The listening server. */
  readonly front: Server;
  /**
   * Accepts no more connections and tells the peers of open ones that they will end. Requests that a peer sent before it could know are
   * served. Each connection ends after its calls, or after the grace period. Returns how many were cut off.
   */
  drain(graceMs: number): Promise<number>;
}

/** Serves the requests of the connections. */
export interface Serving {
  /** Aborted when the service starts to stop, before `drain`. */
  readonly stopping: AbortSignal;
  /** Checks the headers of every request that the unary fast path does not serve, before anything else is done. */
  readonly requestCheck: RequestCheck;
  /** Checks every request before that. */
  readonly browsers: BrowserRules;
  /** The unary fast path on the HTTP/2 server of `http2-server/`. Undefined: Node's HTTP/2 server is used instead. */
  readonly unary: UnaryFastPath | undefined;
  /** Serves all other requests that passed the check. */
  readonly handle: Handle;
  /** The account that pays for a connection until a call authenticates another one. */
  readonly accountOf: (socket: Socket) => Account;
  /** The longest pause of a connection for what one of its calls does, in milliseconds. */
  readonly mostPauseMs: (socket: Socket) => number;
}

/** The measured cost of a request through the router, in milliseconds; an estimate is enough. */
const ROUTED_MS = 0.3;
/** How long requests of a peer that does not know yet that its connection ends may arrive, in milliseconds: a long round trip. */
export const LAST_CALL_MS = 250;

/** Creates the servers of one port. They do not listen yet. */
export function createConnections(
  tls: TlsOptions | undefined,
  limits: ConnectionLimits,
  events: Events,
  resources: Resources,
  { stopping, requestCheck, browsers, unary, handle, accountOf, mostPauseMs }: Serving,
): Connections {
  const { connections: table, memory, reads, bodies } = resources;
  const { answerMs } = resources.limits;
  const connections = new Set<Connection>();
  const http1Sockets = new Set<MeteredSocket>();
  const nodeAnswers = new NodeAnswers(answerMs);
  const tooLarge = `the headers are larger than ${limits.maxHeaderBytes} bytes`;
  const limit = { limit_bytes: String(limits.maxHeaderBytes) };
  const headersTooLarge = new EctError(reject('MESSAGE_TOO_LARGE', tooLarge, limit));

  const handler = createNodeHandler({
    stopping,
    answers: nodeAnswers,
    maxHeaderBytes: limits.maxHeaderBytes,
    answerEarly,
    answerTooLarge,
    answerRejected: (rejection, method, contentType) => rejectedWith(rejection, method, contentType, undefined),
    servingOf: (socket, caller) => ({
      handle,
      socket,
      caller,
      lanes: lanesOf(socket),
      onBug: (thrown) => events.bug('node', thrown),
    }),
  });
  const nodeHttp2 = createNodeHttp2({
    limits,
    serve: handler,
    onFailure: (error) => events.connectionFailed('h2', error),
  });
  const http1 = createHttp1(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.firstBytesMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(1000, limits.firstBytesMs),
    },
    (request, response) => {
      const metered = request.socket as Duplex as MeteredSocket;
      metered.requestBegan(request, response);
      handler(request, response, metered.accepted);
    },
  );
  http1.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    answerUnreadable(error, socket as Duplex as MeteredSocket),
  );
  // Otherwise Node responds itself, and the request is not counted.
  http1.on('checkExpectation', (request, response) => {
    (request.socket as Duplex as MeteredSocket).requestBegan(request, response);
    response.writeHead(417).end();
  });
  // This server gets its sockets from the front server and never listens itself; its timeouts start with this event.
  http1.emit('listening');

  const front = createListener({
    tls,
    firstBytesMs: limits.firstBytesMs,
    tlsLanesOf: (socket) => ({
      usual: { reads: resources.records, flow: resources.accounts.recordsOf(socket) },
      slow: { reads: resources.emptyRecords, flow: resources.accounts.recordsOf(socket) },
    }),
    onHttp1: (socket) => {
      table.attach(socket);
      const lanes = lanesOf(socket);
      const metered = new MeteredSocket(socket, lanes, (error) => events.connectionFailed('h1', error));
      http1Sockets.add(metered);
      metered.once('close', () => http1Sockets.delete(metered));
      reads.run(lanes.requests.flow, () => {
        if (!metered.destroyed) http1.emit('connection', metered);
      });
    },
    onHttp2: (socket) => {
      table.attach(socket);
      if (unary === undefined) nodeHttp2.open(socket);
      else openConnection(socket, unary);
    },
    onFailure: (stage, cause) => events.connectionFailed(stage, cause),
  });
  front.on('connection', (socket) => void table.add(socket));

  function lanesOf(socket: Socket): ReadLanes {
    const account = accountOf(socket);
    return { requests: { reads, flow: account.reading }, bodies: { reads: bodies, flow: account.bodies } };
  }

  function openConnection(socket: Socket, fastPath: UnaryFastPath): void {
    const { maxConcurrentStreams, maxHeaderBytes, idleMs } = limits;
    const account = accountOf(socket);
    // Parsing may resume at the end of another call, in whose async context it must not run.
    const context = new OwnContext();
    const connection = new Connection(socket, {
      limits: { ...CONNECTION_LIMITS, maxConcurrentStreams, maxHeaderBytes, idleMs, answerMs },
      serve: (stream) => serveHttp2(stream, fastPath),
      turns: {
        begin: () => reads.begin(),
        get mayContinue() {
          return reads.mayContinue;
        },
        end: () => reads.end(account.reading),
        defer: (goOn) => context.runInAsyncScope(() => reads.defer(account.reading, goOn)),
      },
      openMemory: (evict) => memory.open(account, evict),
      mostPauseMs: () => mostPauseMs(socket),
      onFailure: (error) => events.connectionFailed('h2', error),
      onBug: (thrown) => events.bug('h2', thrown),
    });
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
    // The connection was accepted before the shutdown, and its first bytes arrived after it.
    if (stopping.aborted) connection.close();
  }

  function serveHttp2(stream: Stream, fastPath: UnaryFastPath): Receiver {
    const { head, socket } = stream;
    const contentType = headerOf(head, 'content-type');
    if (head.isTooLarge) {
      const { answer, penalty } = answerTooLarge(streamLine(stream, contentType), socket);
      return new RejectedStream(stream, answer, penalty);
    }
    const request = http2Request(head);
    const served = browsers.judge(request) === undefined ? fastPath(stream) : undefined;
    if (served !== undefined) return served;
    const line = streamLine(stream, contentType);
    const early = answerEarly(request, line, socket);
    if ('answer' in early) return new RejectedStream(stream, early.answer, early.penalty);
    return serveStream(stream, {
      handle,
      caller: early,
      // A page reads no body, so it is served when the request is complete and its faults are known.
      unread: requestCheck.isMethod(line) ? undefined : resources.unread,
      turn: () => new Promise((resolve) => reads.run(accountOf(socket).reading, resolve)),
      onBegun: () => reads.addDeferredCost(ROUTED_MS),
      onAbandoned: () => requestCheck.abandoned(line, socket),
      onBug: (thrown) => events.bug('h2', thrown),
    });
  }

  /** The response if the headers decide the request; otherwise its caller. */
  function answerEarly(request: BrowserRequest, line: RequestLine, socket: Socket): Caller | Early {
    const { method, contentType } = line;
    const { origin } = request;
    const error = browsers.judge(request);
    if (error !== undefined)
      return rejectedWith(requestCheck.forbid(line, socket, error), method, contentType, undefined);
    const preflight = browsers.preflight(request);
    const judged = preflight === undefined ? requestCheck.judge(line, socket) : requestCheck.judgePublic(line, socket);
    if ('error' in judged) return rejectedWith(judged, method, contentType, origin);
    if (preflight === undefined) return judged;
    return { answer: { status: 204, headers: preflight, body: undefined }, penalty: NO_PENALTY };
  }

  function answerTooLarge(line: RequestLine, socket: Socket): Early {
    const rejection = requestCheck.forbid(line, socket, headersTooLarge);
    const { answer, penalty } = rejectedWith(rejection, line.method, line.contentType, undefined);
    return { answer: answer.status === 200 ? answer : { ...answer, status: 431 }, penalty };
  }

  function rejectedWith(
    { error, penalty }: Rejection,
    method: string | undefined,
    contentType: string | undefined,
    origin: string | undefined,
  ): Early {
    const rejection = rejectionMessage(method, contentType, error);
    return { answer: { ...rejection, headers: { ...rejection.headers, ...browsers.fieldsFor(origin) } }, penalty };
  }

  async function drain(graceMs: number): Promise<number> {
    const closed = new Promise<void>((resolve) => front.close(() => resolve()));
    for (const connection of connections) connection.close();
    nodeHttp2.close();
    nodeAnswers.announceEnd();
    // A request may be on its way on a connection that looks idle. A peer that learns of the end by a response sends no other one.
    let endIdle = setTimeout(() => {
      closeIdle();
      endIdle = setInterval(closeIdle, 50);
    }, LAST_CALL_MS);
    let cut = 0;
    const grace = setTimeout(() => {
      cut = table.size;
      for (const socket of table.sockets()) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(grace);
    clearTimeout(endIdle);
    http1.close();
    return cut;
  }

  /** Node counts a connection as idle if its next request waits to be parsed here. */
  function closeIdle(): void {
    const busy = [...http1Sockets].filter(({ hasUnread }) => hasUnread);
    for (const socket of busy) socket.isKept = true;
    http1.closeIdleConnections();
    for (const socket of busy) socket.isKept = false;
  }

  return { front, drain };
}

/** Responds to a request that Node's parser rejected, if the peer can still read. */
function answerUnreadable({ code }: NodeJS.ErrnoException, socket: MeteredSocket): void {
  // Node counts bytes that wait here as not received.
  if (socket.isLingering || (code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.isHeldUp)) return;
  const status = UNREADABLE[code ?? ''] ?? '400 Bad Request';
  const last = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  if (!socket.writable) socket.destroy();
  else socket.reject(last);
}

const UNREADABLE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function http2Request(head: RequestHead): BrowserRequest {
  const text = (name: string) => headerOf(head, name)?.toString();
  return {
    method: head.method,
    target: head.path,
    host: text(':authority') ?? text('host'),
    origin: text('origin'),
    site: text('sec-fetch-site'),
    asksFor: head.method === 'OPTIONS' ? text('access-control-request-method') : undefined,
  };
}
