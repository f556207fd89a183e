// A request and its response, between a transport (HTTP/1.1, `http2-server/`) and the methods and pages that serve it.

import type { Socket } from 'node:net';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Caller } from '../authority/index.ts';

/** A request to a method, from any transport. */
export interface RoutedRequest {
  readonly httpVersion: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The whole URL; undefined if the authority of the request is invalid. */
  readonly url: string | undefined;
  readonly header: Headers;
  /** Throws if the peer disconnects before its end. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Resolves when it is the turn of this connection in the fair order of reading. */
  readonly turn: () => Promise<void>;
  readonly socket: Socket;
  /** The caller, as the request check determined it. */
  readonly caller: Caller;
  /** Reserves memory for the response if the transport accounts for it. Returns whether there is room. */
  readonly reserveAnswer?: (bytes: number) => boolean;
}

/** A call in the router. */
export interface RoutedCall {
  /** Rejects only without a response: the peer has disconnected, there is no memory, or a bug was already reported. */
  readonly response: Promise<UniversalServerResponse>;
  /** The response was sent, or the peer has disconnected. Called once. */
  close(): void;
}

/** Serves an accepted request. `evict` ends its transport, to free memory for others. */
export type Handle = (request: RoutedRequest, evict: () => void) => RoutedCall;
