// H17: calls that are rejected when they come, on the wire of a real connection.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AnyService } from '../../src/calls/call.ts';
import { createCalls } from '../../src/calls/calls.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { type Stream, writeHeaderBlock } from '../../src/http2-server/index.ts';
import { createResources, DEFAULT_PROCESS_LIMITS } from '../../src/limits/index.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { createUnaryFastPath } from '../../src/transport/unary/fast-path.ts';
import { answered, begin, CODE, data, end, reset, resets, whole } from '../http2-server/raw-frames.ts';
import { openPeer, type Peer, startServer, type TestServer } from '../http2-server/raw-peer.ts';
import { SOON } from '../support/soon.ts';

const BLOCK = writeHeaderBlock([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/ect.v1.KeyService/GetKeySet'],
  ['content-type', 'application/grpc'],
]);
const MESSAGE = Buffer.alloc(5);

const service: AnyService = {
  descriptor: KeyService,
  access: 'callers',
  maxRequestBytes: { '*': 100 },
  procedures: {
    getKeySet: () => {
      throw new Error('was begun');
    },
  },
};

let lines: Record<string, unknown>[];
let server: TestServer;
let peer: Peer;

beforeEach(async () => {
  lines = [];
  const events = createEvents({ level: 'info', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const calls = createCalls({
    events,
    identify: () => ({ kind: 'anonymous' }),
    endOfStreams: new AbortController().signal,
    resources: {
      ...createResources(DEFAULT_PROCESS_LIMITS),
      admission: { open: 0, admits: () => false, begun: () => undefined, ended: () => undefined },
    },
  });
  const transport = createUnaryFastPath([service], calls);
  server = await startServer({}, (stream: Stream) => transport(stream)!);
  peer = await openPeer(server);
});

afterEach(async () => {
  peer[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

describe('H17: a call that is rejected when it comes', () => {
  test.each([
    ['whose body comes with its headers', [begin(1, BLOCK), end(1, MESSAGE.toString('latin1'))]],
    ['whose body comes with its headers in parts', [begin(1, BLOCK), data(1, MESSAGE), end(1)]],
    ['without a body', [whole(1, BLOCK)]],
  ])('%s is answered once, and nothing is reset', async (_, frames) => {
    peer.send(...frames);
    await peer.settled();
    expect(answered(peer, 1)).toBe(true);
    expect(peer.frames.filter(({ stream }) => stream === 1)).toHaveLength(1);
    expect(lines).toMatchObject([{ code: 'UNAVAILABLE', reason: 'SERVICE_OVERLOADED' }]);
  });

  test('is answered before its body has come, and what is left of that is neither read nor held against it', async () => {
    peer.send(begin(1, BLOCK));
    await peer.settled();
    expect(answered(peer, 1)).toBe(true);
    await vi.waitFor(() => expect(resets(peer)).toEqual([[1, CODE.none]]), SOON);
    peer.send(data(1, MESSAGE), end(1));
    await peer.settled();
    expect(lines).toHaveLength(1);
    expect(server.failures).toEqual([]);
  });

  test('is rejected when the part of its body that came with it was read', async () => {
    peer.send(begin(1, BLOCK), data(1, MESSAGE));
    await peer.settled();
    expect(answered(peer, 1)).toBe(true);
    await vi.waitFor(() => expect(resets(peer)).toEqual([[1, CODE.none]]), SOON);
    expect(lines).toMatchObject([{ reason: 'SERVICE_OVERLOADED' }]);
  });

  test('is one call in the log, also where its caller cancels it at once', async () => {
    peer.send(begin(1, BLOCK), data(1, MESSAGE), reset(1));
    await peer.settled();
    expect(answered(peer, 1)).toBe(false);
    expect(lines).toMatchObject([{ event: 'call', code: 'CANCELLED' }]);
  });

  test('gives back the room of its body: a connection may be rejected for ever', async () => {
    const message = 'x'.repeat(10_000);
    for (let id = 1; id < 2_000; id += 2) {
      peer.send(begin(id, BLOCK), end(id, message));
      if (id % 100 === 99) await peer.settled();
    }
    await peer.settled();
    expect(lines).toHaveLength(1_000);
    expect(server.failures).toEqual([]);
  });
});
