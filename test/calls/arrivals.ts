// Calls as a transport brings them, with a clock that the tests set.

import { Socket } from 'node:net';
import { afterEach, beforeEach, vi } from 'vitest';
import type { AnyService, Call } from '../../src/calls/call.ts';
import type { Rejection } from '../../src/calls/call-admission.ts';
import { type Calls, createCalls } from '../../src/calls/calls.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import type { Resources } from '../../src/limits/index.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { workload } from '../support/callers.ts';

export const arrival = {
  method: 'ect.v1.KeyService/GetKeySet',
  protocol: 'grpc',
  socket: new Socket(),
  header: () => [],
  httpMethod: 'POST',
  path: '/ect.v1.KeyService/GetKeySet',
} as const;

/** Why a request is rejected by its headers, if it is. */
export function rejectionOf(calls: Calls, ...request: Parameters<Calls['judge']>): Rejection | undefined {
  const judged = calls.judge(...request);
  return 'error' in judged ? judged : undefined;
}

export const caller = workload('spiffe://example.com/a');

export function setUp(
  procedure: (request: never, call: Call) => unknown,
  access: AnyService['access'] = 'callers',
  resources?: Resources,
) {
  const lines: Record<string, unknown>[] = [];
  const events = createEvents({ level: 'info', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const endOfStreams = new AbortController();
  const identify = vi.fn<() => typeof caller>(() => caller);
  const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, ...(resources && { resources }) });
  const service: AnyService = {
    descriptor: KeyService,
    access,
    maxRequestBytes: { '*': 1 },
    procedures: { getKeySet: procedure },
    streams: { watch: procedure as () => AsyncIterable<unknown> },
  };
  return { lines, events, endOfStreams, identify, calls, service };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

export const noRequest = () => ({});
