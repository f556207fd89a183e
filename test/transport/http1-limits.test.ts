// HTTP/1.1 peers that ask without reading, or so that two readers understand two requests.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

let running: TestServer;
let socket: Socket;
let heard: string;
const LARGE = 'x'.repeat(8 << 20);
const reads = { large: 0 };

beforeEach(async () => {
  reads.large = 0;
  running = await startTestServer({
    processLimits: { answerMs: 1_000 },
    pages: [
      {
        path: '/large',
        read: () => {
          reads.large++;
          return { status: 200, contentType: 'text/plain', body: LARGE, maxAgeSeconds: 0 };
        },
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

const connections = () =>
  running.events.metrics().then((text) => /ect_limit_in_use\{limit="connections"\} (\d+)/.exec(text)?.[1]);
const get = (path: string, headers = 'Host: localhost\r\n') => `GET ${path} HTTP/1.1\r\n${headers}\r\n`;

describe('H25: HTTP/1.1', () => {
  test('a peer that does not read its answer is disconnected when its time is over', async () => {
    socket.pause();
    socket.write(get('/large'));
    expect(await connections()).toBe('1');
    await vi.waitFor(async () => expect(await connections()).toBe('0'), SOON);
  });

  test('while eight requests of a connection are not answered no more are taken; then each is, in order', async () => {
    const issue = (nth: number) => {
      const body = JSON.stringify({ execAct: 'wait', jti: `task-${nth}` });
      const headers = 'Host: localhost\r\nContent-Type: application/json\r\n';
      return `POST /ect.v1.AuthorityService/Issue HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
    };
    const asked = 200;
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.write(Array.from({ length: asked }, (_, nth) => issue(nth)).join(''));
    await vi.waitFor(() => expect(running.seen.length).toBeGreaterThanOrEqual(8), SOON);
    // Others are served meanwhile, in as many turns as the rest of them would have taken.
    for (let nth = 0; nth < 50; nth++) expect((await fetch(`${running.server.url}/healthz`)).status).toBe(200);
    expect(running.seen.length, 'and what came in one piece with the eighth').toBeLessThan(20);
    running.release();
    await vi.waitFor(() => expect(heard.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(asked), SOON);
    expect(running.seen).toHaveLength(asked);
  });

  test('a peer that asks a thousand times and reads nothing takes no more than a few answers', async () => {
    socket.pause();
    socket.write(get('/large').repeat(1_000));
    await vi.waitFor(async () => expect(await connections()).toBe('0'), SOON);
    expect(reads.large).toBeLessThan(64);
    expect(running.lines.filter(({ event }) => event === 'bug')).toEqual([]);
  });

  test('a few requests at once are answered in order', async () => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.write(get('/healthz').repeat(4));
    await vi.waitFor(() => expect(heard.match(/\{"alive":true\}/g)).toHaveLength(4), SOON);
  });

  test('two Host fields are rejected, and the connection is closed', async () => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.write(get('/healthz', 'Host: localhost\r\nHost: example.com\r\n'));
    await once(socket, 'close');
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
    expect(heard).toContain('REQUEST_MALFORMED');
  });
});

describe('RFC 9112, section 9.6: an answer reaches its reader although the reader is still sending', () => {
  const unknown = (headers: string) => `POST /no/such/page HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
  // Sent in parts, each after the answer has begun: a connection that is reset by one of them would take the answer back.
  async function sendOn(parts: number, bytes: number): Promise<void> {
    for (let part = 0; part < parts && socket.writable; part++) {
      await new Promise((resolve) => socket.write('x'.repeat(bytes), resolve));
      await new Promise(setImmediate);
    }
  }

  test('a short body of a request that is rejected is thrown away, and the next request is answered', async () => {
    socket.pause();
    socket.write(unknown('Content-Length: 20000\r\n'));
    await sendOn(20, 1000);
    socket.write(get('/healthz'));
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.resume();
    await vi.waitFor(() => expect(heard).toMatch(/^HTTP\/1\.1 404 [\s\S]*\{"alive":true\}/), SOON);
  });

  test.each([
    ['two Host fields and a body', 'Host: localhost\r\nContent-Length: 10000000\r\n', /^HTTP\/1\.1 400 /],
    ['headers that are too large', `X-Padding: ${'x'.repeat(60_000)}\r\n`, /^HTTP\/1\.1 431 /],
    ['headers that are no headers', 'no header at all\r\n', /^HTTP\/1\.1 400 /],
  ])('%s', async (_, headers, status) => {
    const closed = once(socket, 'close');
    socket.pause();
    socket.write(unknown(headers));
    await sendOn(20, 10_000);
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    socket.resume();
    await closed;
    expect(heard).toMatch(status);
  });

  test('who never stops sending is cut off', async () => {
    socket.write(unknown('Host: localhost\r\nContent-Length: 1000000000\r\n'));
    socket.resume();
    await Promise.all([once(socket, 'close'), sendOn(1e6, 1000)]);
  });
});

describe('H20: bodies over HTTP/1.1 that are given up for others', () => {
  test('what was held is free at once, and the connection ends a second later', async () => {
    const budget = 6_000;
    await using small = await startTestServer({
      processLimits: { memory: { totalBytes: budget, accountBytes: budget } },
    });
    const held = () =>
      small.events.metrics().then((text) => Number(/ect_limit_in_use\{limit="held_bytes"\} (\d+)/.exec(text)?.[1]));
    const upload = async (bytes: number) => {
      const peer = connect(small.server.address.port, '127.0.0.1')
        .on('error', () => undefined)
        .resume();
      const ended = new Promise<number>((resolve) => peer.once('close', () => resolve(performance.now())));
      await once(peer, 'connect');
      const headers = 'Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 8192\r\n\r\n';
      peer.write(`POST /ect.v1.AuthorityService/BatchIssue HTTP/1.1\r\n${headers}`);
      peer.write(Buffer.alloc(bytes, ' '));
      return { peer, ended };
    };
    const first = await upload(3_500);
    await vi.waitFor(async () => expect(await held()).toBe(3_500), SOON);
    // What is younger than a quarter of a second is not given up.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    const second = await upload(3_000);
    await vi.waitFor(async () => expect(await held()).toBe(3_000), SOON);
    expect((await first.ended) - began).toBeGreaterThan(900);
    second.peer.destroy();
    await vi.waitFor(async () => expect(await held()).toBe(0), SOON);
  });
});

describe('H25: a response that comes before the end of its request', () => {
  test('says that the connection ends, and it does, also if the peer sends nothing more and never closes it', async () => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    const headers = 'Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n';
    socket.write(`POST /ect.v1.AuthorityService/Issue HTTP/1.1\r\n${headers}\r\n`);
    // More than the largest request, in one chunk that never ends.
    socket.write(`1000000\r\n${'x'.repeat(5 << 20)}`);
    await vi.waitFor(() => expect(heard).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*connection: close/i), SOON);
    await vi.waitFor(async () => expect(await connections()).toBe('0'), SOON);
  });
});
