// Bodies of requests in the smallest parts that cost the peer no budget, against the whole port: what waits is in the memory budget, in
// blocks, and what nobody reads is not kept.

import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FRAME } from '../../bench/http2-frames.ts';
import { BatchIssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import { begin, data, end, many } from '../http2-server/raw-frames.ts';
import { openPeer, type Peer } from '../http2-server/raw-peer.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

const SMALL = 32;
const WINDOW = 65_535;

let running: TestServer;
let peer: Peer;
beforeEach(async () => {
  running = await startTestServer();
  peer = await openPeer(running.server.address);
});
afterEach(async () => {
  peer[Symbol.dispose]();
  await running[Symbol.asyncDispose]();
});

async function heldBytes(): Promise<number> {
  return Number(/ect_limit_in_use\{limit="held_bytes"\} (\d+)/.exec(await running.events.metrics())?.[1]);
}

function post(path: string, type: string, ...more: [string, string][]): Buffer {
  return writeHeaderBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', type],
    ['te', 'trailers'],
    ...more,
  ]);
}

const small = (id: number, bytes: number) => many(Math.floor(bytes / SMALL), () => data(id, Buffer.alloc(SMALL)));
const framesOf = (type: number, id: number) =>
  peer.frames.filter((frame) => frame.type === type && frame.stream === id);

test('H13: a call of the Connect router in parts of 32 bytes holds its bytes once, and is answered', async () => {
  const message = gzipSync(toBinary(BatchIssueRequestSchema, create(BatchIssueRequestSchema, { items: [{}] })));
  const prefix = Buffer.from([1, 0, 0, 0, message.length]);
  const body = Buffer.concat([prefix, message, Buffer.alloc(6000)]);
  prefix.writeUInt32BE(body.length - prefix.length, 1);
  prefix.copy(body);
  peer.send(begin(1, post('/ect.v1.AuthorityService/BatchIssue', 'application/grpc', ['grpc-encoding', 'gzip'])));
  const parts = Math.ceil(body.length / SMALL) - 1;
  peer.send(many(parts, (at) => data(1, body.subarray(at * SMALL, (at + 1) * SMALL))));
  await peer.settled();
  await vi.waitFor(async () => expect(await heldBytes()).toBeGreaterThanOrEqual(parts * SMALL), SOON);
  expect(await heldBytes()).toBeLessThanOrEqual(2 * body.length);

  peer.send(end(1, body.subarray(parts * SMALL).toString('latin1')));
  // Zeros after the gzip member: it cannot be decompressed, and that is what the answer says.
  await vi.waitFor(() => expect(framesOf(FRAME.headers, 1).length).toBeGreaterThan(0), SOON);
  await vi.waitFor(async () => expect(await heldBytes()).toBe(0), SOON);
});

test.each([
  ['/metrics', 'text/plain', 'this page is read by GET'],
  ['/.well-known/jwks.json', 'application/json', 'this page is read by GET'],
  ['/no/such/page', 'text/plain', 'there is no method or page'],
])('H24: the body of a request for %s is not kept', async (path, type, answer) => {
  peer.send(begin(1, post(path, type)), small(1, 16_000));
  await peer.settled();
  expect(await heldBytes()).toBe(0);
  expect(framesOf(FRAME.headers, 1)).toEqual([]);

  // A longer one is not waited for.
  peer.send(small(1, 1_000));
  await vi.waitFor(() => expect(framesOf(FRAME.data, 1).length).toBeGreaterThan(0), SOON);
  expect(framesOf(FRAME.data, 1)[0]?.payload.toString()).toContain(answer);
  expect(await heldBytes()).toBe(0);
});

test('H24: a request for a page cannot upload more than the window of its stream', async () => {
  peer.send(begin(1, post('/metrics', 'text/plain')), small(1, WINDOW - SMALL));
  await peer.settled();
  expect(framesOf(FRAME.windowUpdate, 1)).toEqual([]);
});

test('H24: a client that posts a long body to an unknown path learns that it is unknown', async () => {
  peer.send(begin(1, post('/ect.v1.Nobody/Serves', 'application/grpc')), small(1, 40_000));
  await vi.waitFor(() => expect(framesOf(FRAME.headers, 1).length).toBe(1), SOON);
  expect(framesOf(FRAME.headers, 1)[0]?.payload.toString('latin1')).toContain('no method or page');
});

test('H24 H29: messages of a reflection stream that wait for its rate are in the memory budget, in blocks', async () => {
  peer.send(begin(1, post('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', 'application/grpc')));
  const sent = 60_000;
  peer.send(small(1, sent));
  await peer.settled();
  // Its rate lets 200 messages of five bytes through at once.
  await vi.waitFor(async () => expect(await heldBytes()).toBeGreaterThan(sent - 16_384 - 200 * 5), SOON);
  expect(await heldBytes()).toBeLessThan(1.5 * sent);

  peer[Symbol.dispose]();
  await vi.waitFor(async () => expect(await heldBytes()).toBe(0), SOON);
});
