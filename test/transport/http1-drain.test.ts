// A stop, seen from connections of HTTP/1.1.

import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { startTestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

test('L17: a request that waits to be parsed when the service stops is answered', async () => {
  const busy = { ms: 0, reads: 0, onRead: (_reads: number) => {} };
  const running = await startTestServer({
    pages: [
      {
        path: '/busy',
        read: () => {
          const until = performance.now() + busy.ms;
          while (performance.now() < until);
          busy.onRead(busy.reads++);
          return { status: 200, contentType: 'text/plain', body: 'x', maxAgeSeconds: 0 };
        },
      },
    ],
  });
  const { port } = running.server.address;
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const socketOf = async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  const crowd = await Promise.all(Array.from({ length: 30 }, socketOf));
  for (const socket of crowd) socket.resume().write(get('/busy'));
  const caller = await socketOf();
  let heard = '';
  caller.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  caller.write(get('/healthz'));
  await vi.waitFor(() => expect(heard).toContain('200 OK'), SOON);
  heard = '';
  // Each turn of the event loop parses the requests of one connection of the crowd. The caller's request arrives in the first turn, and
  // the stop comes a turn later, while most of the crowd is before it.
  busy.ms = 3;
  busy.reads = 0;
  const draining = new Promise<void>((resolve, reject) => {
    busy.onRead = (reads) => {
      if (reads === 0) caller.write(get('/healthz'));
      if (reads === 8) running.server.drain(10_000).then(() => resolve(), reject);
    };
  });
  for (const socket of crowd) socket.write(get('/busy').repeat(8));
  await once(caller, 'close');
  for (const socket of crowd) socket.destroy();
  await draining;
  running.events.close();
  expect(heard).toContain('200 OK');
}, 30_000);
