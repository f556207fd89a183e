// HTTP/1.1 peers that ask without reading, or so that two readers understand two requests.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

let running: TestServer;
let socket: Socket;
let heard: string;

beforeEach(async () => {
  running = await startTestServer({
    processLimits: { answerMs: 1_000 },
    pages: [
      {
        path: '/large',
        read: () => ({ status: 200, contentType: 'text/plain', body: 'x'.repeat(8 << 20), maxAgeSeconds: 0 }),
      },
    ],
  });
  const { port } = running.server.address;
  socket = connect(port, '127.0.0.1');
  heard = '';
  socket.on('error', () => undefined);
  await once(socket, 'connect');
});
afterEach(async () => {
  socket.destroy();
  await running[Symbol.asyncDispose]();
});

const get = (path: string, headers = 'Host: localhost\r\n') => `GET ${path} HTTP/1.1\r\n${headers}\r\n`;

describe('H25: HTTP/1.1', () => {
  test('a peer that does not read its answer is disconnected when its time is over', async () => {
    socket.pause();
    socket.write(get('/large'));
    const connections = () =>
      running.events.metrics().then((text) => /ect_limit_in_use\{limit="connections"\} (\d+)/.exec(text)?.[1]);
    expect(await connections()).toBe('1');
    await vi.waitFor(async () => expect(await connections()).toBe('0'), SOON);
  });

  test('more requests at once than anybody needs end the connection', async () => {
    socket.pause();
    socket.write(get('/large').repeat(20));
    socket.resume();
    await once(socket, 'close');
    expect(running.lines.filter(({ event }) => event === 'bug')).toEqual([]);
  });

  test('a few requests at once are answered in order', async () => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.write(get('/healthz').repeat(4));
    await vi.waitFor(() => expect(heard.match(/\{"alive":true\}/g)).toHaveLength(4), SOON);
  });

  test('two Host fields are refused, and the connection is closed', async () => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.write(get('/healthz', 'Host: localhost\r\nHost: example.com\r\n'));
    await once(socket, 'close');
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
    expect(heard).toContain('REQUEST_MALFORMED');
  });
});
