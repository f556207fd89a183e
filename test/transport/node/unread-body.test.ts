// A request whose body its reader leaves before its end: the response is there, and the rest of the body is nobody's. The connection goes
// on with the next request all the same.

import { once } from 'node:events';
import { createServer as createHttp1, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ReadFlow, ReadScheduler } from '../../../src/limits/read-scheduler.ts';
import { MeteredSocket } from '../../../src/transport/node/metered-socket.ts';

/** The chunks of a body, each of which is an event of its own. */
const chunks = (count: number, bytes: number) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`.repeat(count);
const post = (body: string) => `POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`;
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Reads a part of the body, and no more. */
type Reader = (request: IncomingMessage) => Promise<unknown>;

/**
 * Sends both requests in one write to a server that answers the first when its reader is done. Returns the paths of the responses, until
 * the connection ends: Node closes one that is idle.
 */
async function answeredAfter(read: Reader, first: string): Promise<readonly string[]> {
  const reads = new ReadScheduler(() => 0, 4);
  const http1 = createHttp1((request, response) => {
    (request.socket as Duplex as MeteredSocket).requestBegan(request, response);
    const done = request.method === 'POST' ? read(request) : Promise.resolve();
    void done.then(() => response.end(`${request.url}\n`));
  });
  const front = createServer((socket) => {
    const lane = { reads, flow: new ReadFlow() };
    http1.emit('connection', new MeteredSocket(socket, { requests: lane, bodies: lane }));
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const peer = connect((front.address() as AddressInfo).port, '127.0.0.1');
  try {
    peer.write(first + LAST);
    return (await text(peer)).match(/\/(?:first|last)(?=\n)/g) ?? [];
  } finally {
    peer.destroy();
    front.close();
  }
}

test.each<[string, Reader]>([
  [
    'pauses it',
    async (request) => {
      const [chunk] = await once(request, 'data');
      request.pause();
      return chunk;
    },
  ],
  [
    'takes one piece of what is there',
    async (request) => {
      await once(request, 'readable');
      return request.read(1);
    },
  ],
  [
    'leaves its iteration',
    async (request) => {
      for await (const chunk of request.iterator({ destroyOnReturn: false })) return chunk;
    },
  ],
])('H25: over HTTP/1.1 the next request is answered where a reader of a body in chunks %s', async (_how, read) => {
  for (const count of [2, 10]) {
    expect(await answeredAfter(read, post(chunks(count, 100))), `${count} chunks`).toEqual(['/first', '/last']);
  }
});
