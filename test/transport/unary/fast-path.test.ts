// The unary fast path while calls wait in the queue: what a stream gets, and when.

import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AnyService } from '../../../src/calls/call.ts';
import { createCalls } from '../../../src/calls/calls.ts';
import { KeyService } from '../../../src/gen/ect/v1/keys_pb.ts';
import type { Stream } from '../../../src/http2-server/index.ts';
import { CallScheduler } from '../../../src/limits/call-scheduler.ts';
import { type Account, createResources, DEFAULT_PROCESS_LIMITS } from '../../../src/limits/index.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createUnaryFastPath } from '../../../src/transport/unary/fast-path.ts';

const TIMEOUT_MS = 5;
/** A message without fields, as gRPC frames it. */
const EMPTY_MESSAGE = Buffer.alloc(5);

/** A complete call that waits in the queue, and functions that start or end it. */
function standInLine() {
  const lines: Record<string, unknown>[] = [];
  const events = createEvents({ level: 'info', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const line: (() => void)[] = [];
  const scheduler = Object.assign(new CallScheduler(), {
    enter: (_account: Account, _load: object, begin: () => void) => void line.push(begin),
  });
  const calls = createCalls({
    events,
    identify: () => ({ kind: 'anonymous' }),
    endOfStreams: new AbortController().signal,
    resources: { ...createResources(DEFAULT_PROCESS_LIMITS), scheduler },
  });
  const procedure = vi.fn<() => object>(() => ({ jwksJson: 'keys' }));
  const service: AnyService = {
    descriptor: KeyService,
    access: 'callers',
    maxRequestBytes: { '*': 100 },
    procedures: { getKeySet: procedure },
  };
  const list = ['content-type', 'application/grpc', 'grpc-timeout', `${TIMEOUT_MS}m`];
  const stream = {
    head: { list, method: 'POST', path: '/ect.v1.KeyService/GetKeySet' },
    socket: new Socket(),
    remoteEnded: true,
    consumed: () => undefined,
    freeBody: () => undefined,
    respond: vi.fn<Stream['respond']>(),
    answer: vi.fn<Stream['answer']>(),
  };
  const receiver = createUnaryFastPath([service], calls)(stream as unknown as Stream)!;
  receiver.onData(EMPTY_MESSAGE);
  receiver.onEnd([]);
  const move = async () => {
    for (const begin of line.splice(0)) begin();
    await new Promise<void>((resolve) => void setImmediate(resolve));
  };
  const reported = () => [stream.answer, stream.respond].map(({ mock }) => mock.calls.length);
  return { lines, move, procedure, receiver, reported };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('H17: a call that waits in the queue', () => {
  test('gets nothing and does nothing before its turn, and is answered then, once', async () => {
    const { lines, move, procedure, reported } = standInLine();
    expect([...reported(), procedure.mock.calls.length]).toEqual([0, 0, 0]);
    await move();
    expect(reported()).toEqual([1, 0]);
    vi.advanceTimersByTime(2 * TIMEOUT_MS);
    expect(reported()).toEqual([1, 0]);
    expect(lines).toMatchObject([{ code: 'OK' }]);
  });

  test('is rejected when its deadline passes, not when its turn comes, and never begins', async () => {
    const { lines, move, procedure, reported } = standInLine();
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(reported()).toEqual([0, 1]);
    expect(lines).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }]);
    await move();
    expect([...reported(), procedure.mock.calls.length, lines.length]).toEqual([0, 1, 0, 1]);
  });

  test('never begins when its caller has gone', async () => {
    const { lines, move, procedure, receiver } = standInLine();
    receiver.onGone();
    await move();
    expect(procedure).not.toHaveBeenCalled();
    expect(lines).toMatchObject([{ code: 'CANCELLED' }]);
  });
});
