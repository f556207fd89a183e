// Requests over HTTP/1.1, from Node's server to what serves them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { ReadingFlow, ReadScheduler } from '../limits/index.ts';
import { isNoRoom } from './connect-router.ts';
import type { Handle } from './routed-request.ts';

/** What requests over HTTP/1.1 are served with. */
export interface Http1Serving {
  readonly handle: Handle;
  /** Their parsing is Node's; what follows from it is done in turn with the work of others. */
  readonly reads: ReadScheduler;
  readonly flow: ReadingFlow;
  /** Told of an answer that could not be written, unless its reader has gone. */
  readonly onBug: (thrown: unknown) => void;
}

/** Serves a request. */
export function serveHttp1(request: IncomingMessage, response: ServerResponse, serving: Http1Serving): void {
  const { handle, reads, flow, onBug } = serving;
  // It had to wait, and its peer did not.
  if (response.destroyed || request.destroyed) return;
  const { method = 'GET', url: target = '/', socket } = request;
  const { url, header } = urlAndHeader(request, response);
  const body = bodyOf(request, serving);
  const routed = { httpVersion: request.httpVersion, method, target, url, header, body, socket };
  const call = handle(routed, () => response.destroy());
  response.once('close', () => reads.run(flow, () => call.close()));
  call.response
    .then((answer) => writeHttp1(response, answer))
    .catch((thrown: unknown) => {
      if (!response.destroyed && !isNoRoom(thrown)) onBug(thrown);
      response.destroy();
    });
}

/** Writes an answer whole, as fast as its reader takes it. */
export async function writeHttp1(response: ServerResponse, answer: UniversalServerResponse): Promise<void> {
  await universalResponseToNodeResponse(answer, response);
}

function urlAndHeader(request: IncomingMessage, response: ServerResponse) {
  try {
    const { url, header } = universalRequestFromNodeRequest(request, response, undefined, undefined);
    return { url, header };
  } catch {
    // No authority, or one that is no URL.
    const header = new Headers();
    for (const [name, value] of Object.entries(request.headers)) if (typeof value === 'string') header.set(name, value);
    return { url: undefined, header };
  }
}

/** The parts of the body. The request is not destroyed at an early end: the answer still has to leave by its socket. */
async function* bodyOf(request: IncomingMessage, { reads, flow }: Http1Serving): AsyncGenerator<Uint8Array> {
  const parts = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  for await (const part of parts) {
    yield part;
    await new Promise<void>((resolve) => reads.run(flow, resolve));
  }
}
