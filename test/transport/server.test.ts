// The life of the port: both HTTP versions on it, its limits, and its end.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import { connect, type Socket } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test, vi } from 'vitest';
import { IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { authorityClient, failureOf, frame, rawHttp1, rawHttp2 } from '../support/rpc-clients.ts';
import { startTestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';
import { answerOf } from './parity/raw-call.ts';

const ISSUE = '/ect.v1.AuthorityService/Issue';
const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };
const issueFrame = (execAct: string) => frame(toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct })));

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}

/** Everything that arrives until the other end closes. */
async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

describe('one port', () => {
  test('HTTP/1.1 and HTTP/2 are distinguished by their first bytes, even when these come one by one', async () => {
    await using running = await startTestServer();
    const { port } = running.server.address;
    const http1 = await open(port);
    for (const byte of 'POST /nope HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n') {
      http1.write(byte);
      await new Promise(setImmediate);
    }
    expect(await untilClosed(http1)).toMatch(/^HTTP\/1\.1 404 /);

    const h2c = await open(port);
    for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') {
      h2c.write(byte);
      await new Promise(setImmediate);
    }
    h2c.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])); // an empty SETTINGS frame
    const [answer] = (await once(h2c, 'data')) as [Buffer];
    expect(answer[3]).toBe(4); // the type of the first frame: SETTINGS
    h2c.destroy();
  });

  test('its url has the port that it was given, and a port that is taken is an error', async () => {
    await using running = await startTestServer();
    const { port } = running.server.address;
    expect(running.server.url).toBe(`http://127.0.0.1:${port}`);
    await expect(startTestServer({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('H7: a connection carries 100 calls at once, and says so; one more waits', async () => {
    await using running = await startTestServer();
    const session = http2.connect(running.server.url);
    const [settings] = await once(session, 'remoteSettings');
    expect(settings).toMatchObject({ maxConcurrentStreams: 100 });
    const call = () => {
      const stream = session.request({ ':method': 'POST', ':path': ISSUE, ...GRPC });
      stream.on('error', () => undefined);
      stream.end(issueFrame('hang'));
      return stream;
    };
    const streams = Array.from({ length: 100 }, call);
    await vi.waitFor(() => expect(running.seen).toHaveLength(100), SOON);
    const extra = call();
    await new Promise((resolve) => session.ping((_error, duration) => resolve(duration)));
    expect(running.seen).toHaveLength(100);
    extra.close(http2.constants.NGHTTP2_CANCEL);
    streams[0]?.close(http2.constants.NGHTTP2_CANCEL);
    await vi.waitFor(() => expect(running.seen[0]?.signal.aborted).toBe(true), SOON);
    call();
    await vi.waitFor(() => expect(running.seen).toHaveLength(101), SOON);
    session.destroy();
  });

  test('H6: headers over 16 KiB are rejected on HTTP/2 and HTTP/1.1', async () => {
    await using running = await startTestServer();
    const headers = { 'x-large': 'x'.repeat(20_000) };
    const overHttp2 = await rawHttp2(running.server.url, { method: 'GET', path: '/healthz', headers });
    expect([overHttp2.status, JSON.parse(overHttp2.body.toString()).reason]).toEqual([431, 'MESSAGE_TOO_LARGE']);
    const overHttp1 = await rawHttp1(running.server.url, { method: 'GET', path: '/healthz', headers });
    expect(overHttp1.status).toBe(431);
    expect(running.seen).toHaveLength(0);
  });

  test.each([20_000, 40_000, 60_000])('H6: %d bytes of metadata are rejected on their own stream', async (bytes) => {
    await using running = await startTestServer();
    const session = http2.connect(running.server.url);
    const ask = (type: string, headers = {}) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': ISSUE,
        ...headers,
        'content-type': type,
        te: 'trailers',
      });
      stream.end(type === 'application/grpc' ? issueFrame('wait') : '{"execAct":"wait"}');
      return answerOf(stream);
    };
    const neighbours = ['application/grpc', 'application/json', 'application/grpc'].map((type) => ask(type));
    await vi.waitFor(() => expect(running.seen).toHaveLength(3), SOON);
    const large = { 'x-large': 'x'.repeat(bytes) };
    expect((await ask('application/grpc', large)).grpcStatus).toBe('8');
    const json = await ask('application/json', large);
    expect([json.status, JSON.parse(json.body.toString()).code]).toEqual([431, 'resource_exhausted']);
    running.release();
    expect((await Promise.all(neighbours)).map(({ status, grpcStatus }) => grpcStatus ?? status)).toEqual([
      '0',
      200,
      '0',
    ]);
    const rejected = running.calls().filter(({ reason }) => reason === 'MESSAGE_TOO_LARGE');
    expect(rejected).toMatchObject([{ protocol: 'grpc' }, { protocol: 'connect' }]);
    session.destroy();
  });

  test.each([
    ['nothing', ''],
    ['half the preface of HTTP/2', 'PRI'],
    ['half a request line', 'GET /hea'],
  ])('H8: a connection that says %s is closed', async (_title, bytes) => {
    await using running = await startTestServer({ limits: { firstBytesMs: 50 } });
    const socket = await open(running.server.address.port);
    socket.write(bytes);
    await untilClosed(socket);
  });

  test('H8: a session without calls ends; one that watches does not', async () => {
    // Time enough for a busy machine to begin the watch.
    await using running = await startTestServer({ limits: { idleMs: 2000 } });
    const watching = http2.connect(running.server.url);
    const watch = watching.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Watch', ...GRPC });
    watch.on('error', () => undefined);
    watch.end(frame(Buffer.alloc(0)));
    await once(watch, 'data');
    const idle = http2.connect(running.server.url);
    await once(idle, 'close');
    expect(watching.closed).toBe(false);
    watching.destroy();
  });

  test('a request whose authority is no authority is rejected with ErrorInfo, not dropped', async () => {
    await using running = await startTestServer();
    const answer = await rawHttp1(running.server.url, {
      path: ISSUE,
      headers: { host: '[::', 'content-type': 'application/json' },
      body: Buffer.from('{}'),
    });
    expect([answer.status, JSON.parse(answer.body.toString()).details[0].debug.reason]).toEqual([
      400,
      'REQUEST_MALFORMED',
    ]);
  });
});

describe('L17: draining', () => {
  test('calls in flight finish, new connections are refused, then it ends', async () => {
    await using running = await startTestServer();
    const { url } = running.server;
    const flights = ['gRPC over HTTP/2', 'Connect over HTTP/1.1', 'gRPC-Web over HTTP/2'].map((protocol) =>
      authorityClient(url, protocol).issue({ execAct: 'wait' }),
    );
    await vi.waitFor(() => expect(running.seen).toHaveLength(flights.length), SOON);
    const drained = running.server.drain(10_000);
    await expect(rawHttp1(url, { method: 'GET', path: '/healthz' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    running.release();
    for (const { token } of await Promise.all(flights)) expect(token).toBe('issued for anonymous');
    await drained;
    expect(running.lines.at(-1)).toMatchObject({ event: 'stopped', cut: 0 });
  });

  test('what does not finish within the grace is cut off', async () => {
    await using running = await startTestServer();
    const failure = failureOf(authorityClient(running.server.url, 'gRPC over HTTP/2').issue({ execAct: 'hang' }));
    await vi.waitFor(() => expect(running.seen).toHaveLength(1), SOON);
    await running.server.drain(20);
    await failure;
    await vi.waitFor(() => expect(running.seen[0]?.signal.aborted).toBe(true), SOON);
    expect(running.lines.findLast(({ event }) => event === 'stopped')).toMatchObject({ cut: 1 });
  });

  test('a call on a kept HTTP/1.1 connection is served with Connection: close; health says NOT_SERVING', async () => {
    await using running = await startTestServer();
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n`;
    const check = head('/grpc.health.v1.Health/Check');
    const kept = async (late: string) => {
      const socket = await open(running.server.address.port);
      socket.write(late);
      await once(socket, 'data');
      return socket;
    };
    // One is idle; of the others a second request has begun when the end is announced, or its answer has.
    const idle = await kept(`${check}{}`);
    const begun = await kept(`${check}{}${head('/grpc.health.v1.Health/Check')}{`);
    const waiting = await kept(`${check}{}`);
    waiting.write(`${head(ISSUE)}{"execAct":"wait"}`.replace('Length: 2', 'Length: 18'));
    await vi.waitFor(() => expect(running.seen).toHaveLength(1), SOON);
    const answers = [idle, begun, waiting].map(untilClosed);
    const drained = running.server.drain(10_000);
    idle.write(`${head(ISSUE)}{}`);
    begun.write('}');
    running.release();
    const [issued, health, waited] = await Promise.all(answers);
    for (const answer of [issued, health, waited]) {
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(answer?.toLowerCase()).toContain('connection: close');
    }
    expect(health).toContain('NOT_SERVING');
    await drained;
    expect(running.lines.at(-1)).toMatchObject({ event: 'stopped', cut: 0 });
  });

  test('kept HTTP/1.1 connections that nobody uses end soon', async () => {
    await using running = await startTestServer({ limits: { firstBytesMs: 500 } });
    const socket = await open(running.server.address.port);
    const ended = untilClosed(socket);
    await running.server.drain(60_000);
    expect(await ended).toBe('');
    expect(running.lines.at(-1)).toMatchObject({ event: 'stopped', cut: 0 });
  });

  test('draining twice is draining once', async () => {
    await using running = await startTestServer();
    await Promise.all([running.server.drain(1000), running.server.drain(1000)]);
    expect(running.lines.filter(({ event }) => event === 'draining')).toHaveLength(1);
  });
});

test('H14: after 50 cancelled calls nothing is held', async () => {
  await using running = await startTestServer();
  const session = http2.connect(running.server.url);
  const timersBefore = activeTimers();
  for (let i = 0; i < 50; i++) {
    const stream = session.request({ ':method': 'POST', ':path': ISSUE, ...GRPC });
    stream.on('error', () => undefined);
    stream.end(issueFrame('hang'));
    await vi.waitFor(() => expect(running.seen).toHaveLength(i + 1), SOON);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await once(stream, 'close');
  }
  await vi.waitFor(() => expect(running.calls()).toHaveLength(50), SOON);
  expect(running.seen.every(({ signal }) => signal.aborted)).toBe(true);
  expect(running.calls().every(({ reason }) => reason === 'CALL_CANCELLED')).toBe(true);
  // Else the deadline timer of each call would live for a minute.
  expect(activeTimers() - timersBefore).toBeLessThan(10);
  session.destroy();
});

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}
