// HTTP/2 by Node's own server: what Node would answer or keep by itself is judged, bounded and ended like everything else.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/calls/connection-limits.ts';
import { ServerReflectionRequestSchema } from '../../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { createNodeHttp2 } from '../../../src/transport/node/http2-bridge.ts';
import { writeNode } from '../../../src/transport/node/requests.ts';
import { frame, grpcJsClient } from '../../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../../support/rpc-server.ts';
import { SOON } from '../../support/soon.ts';
import { answerOf, GRPC } from '../parity/raw-call.ts';

const ISSUE = '/ect.v1.AuthorityService/Issue';
const BROWSERS = { allowedOrigins: [], rejectsOthers: true, allowedHosts: [] };
const startOnNode = () => startTestServer({ http2: 'node', browsers: BROWSERS });

function ask({ server }: TestServer, headers: http2.OutgoingHttpHeaders, ends = true) {
  const session = http2.connect(server.url);
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': ISSUE, ...headers }, { endStream: ends });
  stream.on('error', () => undefined);
  return { session, stream, [Symbol.dispose]: () => session.destroy() };
}

describe('H36: nothing goes past the rules for pages', () => {
  test.each(['100-continue', 'x'])('Expect: %s', async (expectation) => {
    await using running = await startOnNode();
    const headers = { origin: 'https://evil.example', 'content-type': 'application/json', expect: expectation };
    using asked = ask(running, headers);
    expect((await answerOf(asked.stream)).status).toBe(403);
    expect(running.calls()).toMatchObject([{ reason: 'ORIGIN_NOT_ALLOWED' }]);
    expect(running.seen).toEqual([]);
  });

  test('CONNECT, whose connection ends', async () => {
    await using running = await startOnNode();
    const session = http2.connect(running.server.url);
    const stream = session.request({ ':method': 'CONNECT', ':authority': 'evil.example' });
    const closed = once(session, 'close');
    expect((await answerOf(stream)).resetCode).toBe(http2.constants.NGHTTP2_PROTOCOL_ERROR);
    await closed;
  });
});

describe('H36: a request that does not end is ended with its answer', () => {
  test.each([
    ['HEAD', { ':method': 'HEAD', ':path': '/readyz' }],
    ['a preflight', { ':method': 'OPTIONS', origin: 'https://a.example', 'access-control-request-method': 'POST' }],
    ['an expectation', { 'content-type': 'application/json', expect: 'x', origin: 'https://evil.example' }],
    ['a page', { ':method': 'GET', ':path': '/readyz' }],
  ])('%s', async (_title, headers) => {
    await using running = await startOnNode();
    using asked = ask(running, headers, false);
    const { status, resetCode } = await answerOf(asked.stream);
    expect(status).toBeGreaterThan(0);
    expect(resetCode).toBe(0);
  });
});

test('H36: the service stops without waiting for peers that say nothing', async () => {
  await using running = await startOnNode();
  using asked = ask(running, { 'content-type': 'application/grpc' }, false);
  await vi.waitFor(() => expect(asked.session.remoteSettings).toBeDefined(), SOON);
  asked.stream.close();
  // The grace is longer than the test may take.
  await running.server.drain(24 * 3_600_000);
  expect(running.lines.findLast(({ event }) => event === 'stopped')).toMatchObject({ cut: 0 });
});

test('H36: a rejection by headers alone is a status that gRPC clients read', async () => {
  await using running = await startOnNode();
  const client = grpcJsClient(running.server.url.replace('http://', ''), 'ect.v1.AuthorityService');
  const error = await new Promise<{ code?: number } | null>((resolve) =>
    client['Issue']?.({ exec_act: 'x'.repeat(5_000) }, {}, (thrown) => resolve(thrown)),
  );
  client.close();
  expect(error?.code).toBe(8);
});

test('H24: of a response that its peer does not read, two parts are made at most, however small; then all arrive', async () => {
  const parts = 20;
  let made = 0;
  async function* body() {
    while (made < parts) yield Buffer.alloc(100, made++);
  }
  const server = createNodeHttp2({
    limits: DEFAULT_LIMITS,
    serve: (_, response) => void writeNode(response, { status: 200, body: body() }),
    onFailure: (error) => expect.unreachable(error.message),
  });
  const front = createServer((socket) => server.open(socket)).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const session = http2.connect(`http://127.0.0.1:${(front.address() as AddressInfo).port}`, {
    settings: { initialWindowSize: 0 },
  });
  const stream = session.request({ ':path': '/' });
  await once(stream, 'response');
  for (let time = 0; time < 5; time++) await new Promise((answered) => session.ping(answered));
  expect(made).toBeLessThanOrEqual(2);
  session.settings({ initialWindowSize: 65_535 });
  expect((await buffer(stream)).length).toBe(parts * 100);
  session.close();
  front.close();
});

test('H24: messages of a stream that its peer does not read are in the memory budget', async () => {
  await using running = await startOnNode();
  const session = http2.connect(running.server.url, { settings: { initialWindowSize: 0 } });
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const stream = session.request({ ':method': 'POST', ':path': path, ...GRPC });
  const request = { messageRequest: { case: 'fileContainingSymbol', value: 'ect.v1.AuthorityService' } } as const;
  const message = toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, request));
  for (let sent = 0; sent < 3; sent++) stream.write(frame(Buffer.from(message)));
  const held = async () => Number(/limit="held_bytes"\} (\d+)/.exec(await running.events.metrics())?.[1]);
  await vi.waitUntil(async () => (await held()) > 10_000, SOON);
  session.destroy();
  await vi.waitUntil(async () => (await held()) === 0, SOON);
});
