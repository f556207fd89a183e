// A request and its response between a transport (HTTP/1.1, the HTTP/2 engine) and what serves it: methods, and pages.

import type { Socket } from 'node:net';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Caller } from '../authority/index.ts';

/** A request on its way to a method, whichever transport it came by. */
export interface RoutedRequest {
  readonly httpVersion: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The whole URL; undefined where the authority of the request cannot be read. */
  readonly url: string | undefined;
  readonly header: Headers;
  /** Fails where the peer goes before its end. */
  readonly body: AsyncIterable<Uint8Array>;
  readonly socket: Socket;
  /** Who makes it, as the gate has found. */
  readonly caller: Caller;
  /** Reserves room for the response where the transport keeps account of it. Returns whether there is any. */
  readonly reserveAnswer?: (bytes: number) => boolean;
}

/** A call on its way through the router. */
export interface RoutedCall {
  /** Rejects only if there is no response: the peer has disconnected, there is no memory for one, or a bug was reported already. */
  readonly response: Promise<UniversalServerResponse>;
  /** The response has left, or the peer has gone. To be called once. */
  close(): void;
}

/** Serves a request that the gate has let through. `evict` ends its transport, because others need the memory more. */
export type Handle = (request: RoutedRequest, evict: () => void) => RoutedCall;
