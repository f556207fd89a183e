// Reads the method, path and header fields of a request, for each transport. A header list is only searched when a field is needed.

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Socket } from 'node:net';
import type { PresentedCall, Protocol } from '../calls/open-call.ts';
import { type RequestHead, type Stream, valuesOf } from '../http2-server/index.ts';

/** What the headers of a request contain, before its RPC method is known. */
export interface RequestLine {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly contentType: string | undefined;
  /** The values of a header field in their order, by lower-case name. */
  readonly header: (name: string) => readonly string[];
}

/** A request on a stream of `http2-server/`. */
export class StreamArrival implements PresentedCall {
  readonly method: string;
  readonly protocol: Protocol;
  readonly socket: Socket;
  readonly #head: RequestHead;

  constructor(method: string, protocol: Protocol, { socket, head }: Stream) {
    this.method = method;
    this.protocol = protocol;
    this.socket = socket;
    this.#head = head;
  }

  get httpMethod(): string {
    return this.#head.method;
  }

  get path(): string {
    return this.#head.path;
  }

  header(name: string): readonly string[] {
    return valuesOf(this.#head.list, name);
  }
}

export function streamLine({ head }: Stream, contentType: string | undefined): RequestLine {
  return { method: head.method, target: head.path, contentType, header: (name) => valuesOf(head.list, name) };
}

/** A request of Node's own servers. Its joined `headers` hide repeated fields. */
export function nodeLine(request: IncomingMessage | Http2ServerRequest): RequestLine {
  const { method, url: target, headers, rawHeaders } = request;
  const header = (name: string) => valuesOf(rawHeaders, name, true);
  return { method, target, contentType: headers['content-type'], header };
}
