// A server on loopback whose answers the test sets. It keeps the requests.

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Certificate } from './certificates.ts';

export interface CannedServer extends AsyncDisposable {
  /** `http://127.0.0.1:40123` */
  readonly url: string;
  readonly port: number;
  /** All requests so far. */
  readonly requests: readonly IncomingMessage[];
  /** The number of connections so far, with or without a request. */
  connections(): number;
  /** Sets the answer from now on. */
  answer: (response: ServerResponse, request: IncomingMessage) => void;
}

/** Starts the server. With a certificate it uses TLS. */
export async function startCannedServer(
  answer: CannedServer['answer'],
  certificate?: Certificate,
): Promise<CannedServer> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    canned.answer(response, request);
  };
  const server: Server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const canned: CannedServer = {
    url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests,
    connections: () => connections,
    answer,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return canned;
}

/** Sends a value as JSON. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): CannedServer['answer'] {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };
}
