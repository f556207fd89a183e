// Requests that wait for their turn are bytes, as few as arrived: they are decompressed and read when their call begins.

import { once } from 'node:events';
import { connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { KeyService } from '../../../src/gen/ect/v1/keys_pb.ts';
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
