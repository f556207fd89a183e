// Whole requests, written once and sent often: the same message for each protocol, compressed or not.

import type { OutgoingHttpHeaders } from 'node:http';
import { gzipSync } from 'node:zlib';
import { frame } from '../../support/rpc-clients.ts';

/** A message and where it goes. JSON is given as text. */
export interface Message {
  /** `ect.v1.AuthorityService/Issue` */
  readonly method: string;
  readonly content: string | Uint8Array;
  readonly isCompressed?: boolean;
}

export interface WireRequest {
  readonly verb: 'GET' | 'POST';
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** How a message travels. `connect-get` is for methods without side effects. */
export type Form = 'grpc' | 'grpc-web' | 'connect' | 'connect-get';

export function writeRequest({ method, content, isCompressed = false }: Message, form: Form): WireRequest {
  const isJson = typeof content === 'string';
  const plain = Buffer.from(content);
  const message = isCompressed ? gzipSync(plain, { level: 9 }) : plain;
  const path = `/${method}`;
  switch (form) {
    case 'grpc':
    case 'grpc-web': {
      const type = `application/${form}${isJson ? '+json' : '+proto'}`;
      const headers = { 'content-type': type, te: 'trailers', ...(isCompressed ? { 'grpc-encoding': 'gzip' } : {}) };
      return { verb: 'POST', path, headers, body: frame(message, isCompressed ? 1 : 0) };
    }
    case 'connect': {
      const type = isJson ? 'application/json' : 'application/proto';
      const headers = { 'content-type': type, ...(isCompressed ? { 'content-encoding': 'gzip' } : {}) };
      return { verb: 'POST', path, headers, body: message };
    }
    case 'connect-get': {
      const query = new URLSearchParams({
        connect: 'v1',
        encoding: isJson ? 'json' : 'proto',
        base64: '1',
        ...(isCompressed ? { compression: 'gzip' } : {}),
        message: message.toString('base64url'),
      });
      return { verb: 'GET', path: `${path}?${query.toString()}`, headers: {}, body: Buffer.alloc(0) };
    }
  }
}
