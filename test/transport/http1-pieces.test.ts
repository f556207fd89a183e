// Requests over HTTP/1.1 that come faster than they are answered: a few at once, whatever is before them, and each answered in order.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ServerOptions } from '../../src/transport/server.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

let running: TestServer;
let socket: Socket;
let heard = '';
async function open(limits: ServerOptions['limits'] = {}): Promise<void> {
  running = await startTestServer({ limits });
  socket = connect(running.server.address.port, '127.0.0.1');
  heard = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
}
afterEach(async () => {
  socket.destroy();
  await running[Symbol.asyncDispose]();
});
const issue = (act: string, more = {}) => {
  const body = JSON.stringify({ execAct: act, ...more });
  return `POST /ect.v1.AuthorityService/Issue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};
const statuses = () => [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code).join();

describe('H25: HTTP/1.1 in pieces', () => {
  test('behind a large body no more than a dozen requests come in one piece', async () => {
    await open();
    const large = 'x'.repeat(33_000);
    socket.write(
      `POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${large.length}\r\n\r\n${large}${issue('wait').repeat(1_000)}`,
    );
    await vi.waitFor(() => expect(running.seen.length).toBeGreaterThanOrEqual(8), SOON);
    for (let nth = 0; nth < 30; nth++) expect((await fetch(`${running.server.url}/healthz`)).status).toBe(200);
    expect(running.seen.length).toBeLessThan(24);
  });

  test('requests that Node rejects by itself count as others', async () => {
    await open();
    const rejected = 'GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n';
    socket.write(rejected.repeat(3000) + issue('wait').repeat(1_000));
    await vi.waitFor(() => expect(running.seen.length).toBeGreaterThanOrEqual(8), SOON);
    for (let nth = 0; nth < 30; nth++) expect((await fetch(`${running.server.url}/healthz`)).status).toBe(200);
    expect(running.seen.length).toBeLessThan(24);
  });

  test('what is not read because eight requests are not answered is not late', async () => {
    await open({ firstBytesMs: 300 });
    // The ninth is cut by the size of a piece.
    const eight = issue('wait').repeat(40);
    socket.write(eight);
    await vi.waitFor(() => expect(running.seen.length).toBeGreaterThanOrEqual(8), SOON);
    // The time for headers is over several times.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    running.release();
    await vi.waitFor(() => expect(statuses()).toBe(Array(40).fill('200').join()), SOON);
  });

  test('what cannot be read is rejected after the answers to what came before', async () => {
    await open();
    socket.write(`${issue('wait')}nonsense\r\n\r\n`);
    await vi.waitFor(() => expect(running.seen.length).toBe(1), SOON);
    running.release();
    await once(socket, 'close');
    expect(statuses()).toBe('200,400');
  });
});
