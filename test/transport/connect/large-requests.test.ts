// Requests that wait for their turn are bytes, as few as arrived: they are decompressed and read when their call begins.

import { once } from 'node:events';
import { connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { KeyService } from '../../../src/gen/ect/v1/keys_pb.ts';
import { Account } from '../../../src/limits/index.ts';
import { MemoryBudget } from '../../../src/limits/memory-budget.ts';
import { RequestMemory } from '../../../src/transport/connect/request-body.ts';
import { frame, rawHttp1, rawStream } from '../../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../../support/rpc-server.ts';
import { SOON } from '../../support/soon.ts';
import { field } from '../messages/reading/worst-cases.ts';

const PATH = '/ect.v1.KeyService/GetKeySet';
const CALLS = 20;
/** An unknown field, which protobuf ignores: the largest message whose ratio does not matter. */
const MESSAGE = field(100, Buffer.alloc(200 * 1024));
const COMPRESSED = gzipSync(MESSAGE);

/** A server whose calls wait, after they were read, until they are released. */
async function startWaiting() {
  const release = Promise.withResolvers<void>();
  let begun = 0;
  const getKeySet = async () => {
    begun++;
    await release.promise;
    return { jwksJson: '{}' };
  };
  const service = {
    descriptor: KeyService,
    access: 'callers',
    maxRequestBytes: { '*': 2 ** 20 },
    procedures: { getKeySet },
  } as const;
  const running = await startTestServer({ services: [service] });
  return { running, begun: () => begun, release: () => release.resolve() };
}

async function inUse({ events }: TestServer, limit: string): Promise<number> {
  return Number(new RegExp(`ect_limit_in_use\\{limit="${limit}"\\} (\\d+)`).exec(await events.metrics())?.[1]);
}

const FORMS = [
  {
    name: 'gRPC, of one connection',
    headers: { 'content-type': 'application/grpc', 'grpc-encoding': 'gzip', te: 'trailers' },
    body: frame(COMPRESSED, 1),
    isHttp2: true,
    atOnce: 4,
  },
  {
    name: 'Connect over HTTP/1.1, of a connection each',
    headers: { 'content-type': 'application/proto', 'content-encoding': 'gzip' },
    body: COMPRESSED,
    isHttp2: false,
    atOnce: 8,
  },
];

test.each(FORMS)('H22 H24: $name: of compressed requests that wait, no more is held than has arrived', async (form) => {
  const { headers, body, isHttp2, atOnce } = form;
  const { running, begun, release } = await startWaiting();
  await using _ = running;
  const { url } = running.server;
  const session = connect(url);
  await once(session, 'connect');
  const request = { path: PATH, headers, body };
  const answers = Array.from({ length: CALLS }, () => (isHttp2 ? rawStream(session, request) : rawHttp1(url, request)));
  await vi.waitUntil(async () => (await inUse(running, 'waiting_calls')) === CALLS - atOnce, SOON);
  await vi.waitUntil(() => begun() === atOnce, SOON);
  const held = await inUse(running, 'held_bytes');
  expect(held, 'what was read counts with all of its bytes').toBeGreaterThan(atOnce * MESSAGE.length);
  expect(held).toBeLessThan(atOnce * MESSAGE.length + CALLS * (COMPRESSED.length + 2048));
  release();
  for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
  expect(begun()).toBe(CALLS);
  await vi.waitUntil(async () => (await inUse(running, 'held_bytes')) === 0, SOON);
  session.destroy();
});

test('H24: while its response waits to be read, nothing of a request is held', async () => {
  const { running, begun, release } = await startWaiting();
  await using _ = running;
  const session = connect(running.server.url, { settings: { initialWindowSize: 0 } });
  const { headers, body } = FORMS[0]!;
  const stream = session.request({ ':method': 'POST', ':path': PATH, ...headers });
  stream.end(body);
  await vi.waitUntil(() => begun() === 1, SOON);
  expect(await inUse(running, 'held_bytes')).toBeGreaterThan(MESSAGE.length);
  release();
  await once(stream, 'response');
  await vi.waitUntil(async () => (await inUse(running, 'held_bytes')) < 1_024, SOON);
  session.destroy();
});

test('H24: what is freed of a request is not of its response', () => {
  const budget = new MemoryBudget({ totalBytes: 2 ** 20, accountBytes: 2 ** 20 });
  const memory = budget.open(new Account(0), () => undefined);
  const request = new RequestMemory(memory);
  request.reserveBody(100);
  memory.grow(50);
  request.freeBody(30);
  expect(budget.usedBytes).toBe(120);
  request.freeBody();
  expect(budget.usedBytes).toBe(50);
});
