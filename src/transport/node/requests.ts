// Serves requests of Node's own servers, over HTTP/1.1 or HTTP/2, after their headers were checked.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { Caller } from '../../authority/index.ts';
import type { ReadLanes } from '../../limits/index.ts';
import { isOutOfResponseMemory } from '../response-memory.ts';
import type { Handle } from '../routed-request.ts';
import { MeteredSocket } from './metered-socket.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What serving such requests needs. */
export interface NodeServing {
  readonly handle: Handle;
  /** The accepted connection. */
  readonly socket: Socket;
  /** The caller of the request. */
  readonly caller: Caller;
  /** Node parses the requests; the work that follows is scheduled with that of others. */
  readonly lanes: ReadLanes;
  /** Called for a response that could not be written, unless the peer has disconnected. */
  readonly onBug: (thrown: unknown) => void;
}

/** Statuses whose responses have no body (RFC 9110). */
const BODILESS = new Set([204, 205, 304]);
/** How long the rest of a request may arrive after its response, in milliseconds. */
const REST_MS = 100;

/** Serves a request. */
export function serveNode(request: NodeRequest, response: NodeResponse, serving: NodeServing): void {
  const { handle, socket, caller, lanes, onBug } = serving;
  const { reads, flow } = lanes.requests;
  // The request had to wait, and its peer has disconnected.
  if (isGone(response)) return;
  const { method = 'GET', url: target = '/' } = request;
  const { url, header } = urlAndHeader(request, response);
  const { reads: bodyReads, flow: bodyFlow } = lanes.bodies;
  const turn = () => new Promise<void>((resolve) => bodyReads.run(bodyFlow, resolve));
  const reading = { hasBegun: false };
  const body = bodyOf(request, turn, reading);
  const routed = { httpVersion: request.httpVersion, method, target, url, header, body, turn, socket, caller };
  const call = handle(routed, () => {
    if (!(request.socket instanceof MeteredSocket)) return abandon(response);
    // Frees its memory now; its connection ends later.
    call.close();
    request.socket.evict();
  });
  (response as ServerResponse).once('close', () => reads.run(flow, () => call.close()));
  call.response
    .then((answer) => {
      if (reading.hasBegun) endAfterUnread(response);
      return writeNode(response, answer);
    })
    .catch((thrown: unknown) => {
      if (!isGone(response) && !isOutOfResponseMemory(thrown)) onBug(thrown);
      abandon(response);
    });
}

/** Writes a response as fast as its peer reads it. */
export async function writeNode(response: NodeResponse, answer: UniversalServerResponse): Promise<void> {
  if (isHttp2(response)) {
    const { stream } = response;
    const hasBody = answer.body !== undefined && response.req.method !== 'HEAD' && !BODILESS.has(answer.status);
    endWithAnswer(stream, hasBody);
    if (!hasBody) {
      // In one frame that ends the stream: gRPC clients read a status from headers only there.
      stream.respond({ ':status': answer.status, ...Object.fromEntries(answer.header ?? []) }, { endStream: true });
      return;
    }
  }
  await universalResponseToNodeResponse(answer, response);
}

/**
 * Ends the connection after the response if its request was read and is incomplete (RFC 9112, section 9.3). Node discards the rest of a
 * body only if nobody has begun to read it. Of any other it reads no more, and does not even notice that the peer has disconnected.
 */
function endAfterUnread(response: NodeResponse): void {
  if (isHttp2(response) || response.req.complete || response.headersSent) return;
  response.setHeader('connection', 'close');
}

/** The response ends the stream even if the request is incomplete: the rest is not read (RFC 9113, section 8.1). */
function endWithAnswer(stream: ServerHttp2Stream, hasBody: boolean): void {
  const end = () => {
    if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  // Trailers may follow the body. Node does not report when they were sent, a reset would overtake them, and clients may report the reset
  // instead of the response. Most requests are complete within this time.
  const endSoon = () => setTimeout(end, REST_MS).unref();
  // Node has already ended its side of a HEAD request.
  if (!hasBody && stream.writableFinished) endSoon();
  else stream.once(hasBody ? 'wantTrailers' : 'finish', endSoon);
}

/** Ends the stream or connection of a response that cannot be written. */
export function abandon(response: NodeResponse): void {
  if (isHttp2(response)) response.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  else response.destroy();
}

/** Whether the peer has disconnected. */
function isGone(response: NodeResponse): boolean {
  return isHttp2(response) ? response.stream.destroyed : response.destroyed || response.req.destroyed;
}

export function isHttp2(message: NodeResponse): message is Http2ServerResponse;
export function isHttp2(message: NodeRequest): message is Http2ServerRequest;
export function isHttp2(message: NodeRequest | NodeResponse): boolean {
  return 'stream' in message;
}

function urlAndHeader(request: NodeRequest, response: NodeResponse) {
  try {
    const { url, header } = universalRequestFromNodeRequest(request, response, undefined, undefined);
    return { url, header };
  } catch {
    // The authority is missing or invalid.
    const header = new Headers();
    for (const [name, value] of Object.entries(request.headers)) {
      if (typeof value === 'string' && !name.startsWith(':')) header.set(name, value);
    }
    return { url: undefined, header };
  }
}

/** The parts of the body. An early end does not destroy the request, because the response uses the same socket. */
async function* bodyOf(
  request: NodeRequest,
  turn: () => Promise<void>,
  reading: { hasBegun: boolean },
): AsyncGenerator<Uint8Array> {
  reading.hasBegun = true;
  // Node's HTTP/2 request ends without an error also if it was cut off; its stream does not.
  const source = isHttp2(request) ? request.stream : request;
  const parts = source.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  for await (const part of parts) {
    yield part;
    await turn();
  }
  if (isHttp2(request) && request.aborted) throw new Error('the stream was reset');
}
