// A stop, seen from connections of HTTP/1.1.

import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { startTestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

test('L17: a request that waits to be parsed when the service stops is answered', async () => {
  const busy = { ms: 0 };
  const running = await startTestServer({
    pages: [
      {
        path: '/busy',
        read: () => {
          const until = performance.now() + busy.ms;
          while (performance.now() < until);
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
  // Each turn parses one piece of the crowd.
  busy.ms = 3;
  for (const socket of crowd) socket.write(get('/busy').repeat(8));
  await new Promise((resolve) => setTimeout(resolve, 30));
  caller.write(get('/healthz'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const draining = running.server.drain(10_000);
  await once(caller, 'close');
  for (const socket of crowd) socket.destroy();
  await draining;
  running.events.close();
  expect(heard).toContain('200 OK');
}, 30_000);
