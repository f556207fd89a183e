// Handles each request of Node's own servers, over HTTP/1.1 or HTTP/2: it is checked by its headers, and then served or rejected.

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { Caller } from '../../authority/index.ts';
import type { Rejection } from '../../calls/call-admission.ts';
import { NO_PENALTY, type Penalty, penaltyPaid } from '../../calls/penalty.ts';
import { EctError, reject } from '../../errors.ts';
import type { BrowserRequest } from '../browser-rules.ts';
import { asResponse, type RejectionMessage } from '../rejections.ts';
import { nodeLine, type RequestLine } from '../request-line.ts';
import { MeteredSocket } from './metered-socket.ts';
import {
  abandon,
  isHttp2,
  type NodeRequest,
  type NodeResponse,
  type NodeServing,
  serveNode,
  writeNode,
} from './requests.ts';
import type { NodeAnswers } from './response-deadlines.ts';

/** A response that the headers of the request decide. */
export interface Early {
  readonly answer: RejectionMessage;
  readonly penalty: Penalty;
}

export interface NodeHandlerOptions {
  /** Aborted when the service starts to stop. */
  readonly stopping: AbortSignal;
  readonly answers: NodeAnswers;
  /** Counted as HTTP/2 counts a header list. */
  readonly maxHeaderBytes: number;
  /** The response if the headers decide the request; otherwise its caller. */
  readonly answerEarly: (request: BrowserRequest, line: RequestLine, socket: Socket) => Caller | Early;
  /** The response of a rejected request. */
  readonly answerRejected: (rejection: Rejection, method: string | undefined, contentType: string | undefined) => Early;
  /** The response of a request whose headers are too large. */
  readonly answerTooLarge: (line: RequestLine, socket: Socket) => Early;
  /** What serving a request of this caller on this connection needs. */
  readonly servingOf: (socket: Socket, caller: Caller) => NodeServing;
}

export type NodeHandler = (request: NodeRequest, response: NodeResponse, socket: Socket) => void;

/** How long a rejected peer has to read the response before its connection is destroyed, in milliseconds. */
const DISCONNECT_MS = 1_000;
/** Largest body that is discarded so that its connection can be used again. */
const SHORT_BODY_BYTES = 65_536;

export function createNodeHandler(options: NodeHandlerOptions): NodeHandler {
  const { stopping, answers, maxHeaderBytes, answerEarly, answerRejected, answerTooLarge, servingOf } = options;

  /** The response to a request that must not be processed further. */
  function answerUnfit(request: NodeRequest, line: RequestLine, socket: Socket): Early | undefined {
    const { contentType } = line;
    if (hasTwoHosts(request)) return answerRejected(TWO_HOSTS, request.method, contentType);
    if (!/^(?:\/|\*$)/.test(request.url ?? '')) return answerRejected(NO_PATH, request.method, contentType);
    // Node only announces this limit to HTTP/2 peers; its HTTP/1.1 parser enforces one.
    if (!isHttp2(request) || listBytes(request) <= maxHeaderBytes) return undefined;
    return answerTooLarge(line, socket);
  }

  return (request, response, socket) => {
    // Both emit errors when the peer disconnects; an error without a listener would end the process.
    (request as IncomingMessage).on('error', ignore);
    response.on('error', ignore);
    // Counted before anything else: what arrives after the last response is kept until the connection is closed.
    if (!answers.begin(isHttp2(response) ? response.stream : socket, response)) return;
    if (request.socket instanceof MeteredSocket && request.socket.isLingering) return;
    const { headers } = request;
    const line = nodeLine(request);
    const early = answerUnfit(request, line, socket) ?? answerEarly(browserRequest(request), line, socket);
    if (!('answer' in early)) {
      const serving = servingOf(socket, early);
      const { reads, flow } = serving.lanes.requests;
      reads.run(flow, () => serveNode(request, response, serving));
    } else if (isHttp2(response)) writeHttp2(early, response, stopping);
    else {
      // Node discards a short body, and the next request follows it; reading a long one costs more than a new connection.
      const isShort = Number(headers['content-length'] ?? Number.NaN) <= SHORT_BODY_BYTES;
      const isRead = (request as IncomingMessage).complete || isShort;
      if (early.penalty !== NO_PENALTY || !isRead) response.setHeader('connection', 'close');
      write(early, response);
    }
  };
}

/** Node cannot stop reading an HTTP/2 connection, so a throttled peer waits for its response instead. */
function writeHttp2(early: Early, response: Http2ServerResponse, stopping: AbortSignal): void {
  const { stream } = response;
  const { session } = stream;
  // Discards the rest of the body.
  stream.resume();
  const { penalty } = early;
  if (penalty === 'disconnect' || penalty === NO_PENALTY) write(early, response);
  else void penaltyPaid(penalty, [stopping]).then(() => write(early, response));
  if (penalty !== 'disconnect' || session === undefined) return;
  stream.once('close', () => session.close());
  setTimeout(() => session.destroy(), DISCONNECT_MS).unref();
}

function write({ answer }: Early, response: NodeResponse): void {
  void writeNode(response, asResponse(answer)).catch(() => abandon(response));
}

function ignore(): void {
  // The 'close' event of the response follows and ends the call.
}

function browserRequest(request: NodeRequest): BrowserRequest {
  const { method, url: target, headers } = request;
  return {
    method,
    target,
    host: (isHttp2(request) ? request.authority : undefined) ?? headers.host,
    origin: headers.origin,
    site: headers['sec-fetch-site']?.toString(),
    asksFor: headers['access-control-request-method'],
  };
}

/** The size of the headers as HTTP/2 counts it. */
function listBytes({ rawHeaders }: Http2ServerRequest): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes + 16 * rawHeaders.length;
}

/** Two readers of such a request may see two hosts (RFC 9112, section 3.2; RFC 9113, section 8.3.1). */
function hasTwoHosts({ rawHeaders }: NodeRequest): boolean {
  let seen: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (name !== 'host' && name !== ':authority') continue;
    const host = rawHeaders[at + 1]!.toLowerCase();
    // In HTTP/2 the host is `:authority`; a `host` field may only repeat it.
    if (seen !== undefined && (name === 'host' ? rawHeaders[0]?.startsWith(':') !== true || host !== seen : true))
      return true;
    seen = host;
  }
  return false;
}

const NO_PATH: Rejection = {
  error: new EctError(reject('REQUEST_MALFORMED', 'the target of the request is no path')),
  caller: { kind: 'anonymous' },
  penalty: 'disconnect',
};

const TWO_HOSTS: Rejection = {
  error: new EctError(reject('REQUEST_MALFORMED', 'the request has more than one Host header')),
  caller: { kind: 'anonymous' },
  penalty: 'disconnect',
};
