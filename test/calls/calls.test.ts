// What a call is, without a server: the socket is a real object of node:net that was never connected.
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AnyService, Call } from '../../src/calls/call.ts';
import type { Rejection } from '../../src/calls/call-admission.ts';
import { type Calls, createCalls } from '../../src/calls/calls.ts';
import { pauseOf } from '../../src/calls/penalty.ts';
import { EctError, reject } from '../../src/errors.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import {
  type Account,
  CallScheduler,
  createResources,
  DEFAULT_PROCESS_LIMITS,
  MAX_ACCOUNT_CALLS,
  type Resources,
} from '../../src/limits/index.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { workload } from '../support/callers.ts';
import { SOON } from '../support/soon.ts';

const arrival = {
  method: 'ect.v1.KeyService/GetKeySet',
  protocol: 'grpc',
  socket: new Socket(),
  header: () => [],
  httpMethod: 'POST',
  path: '/ect.v1.KeyService/GetKeySet',
} as const;

/** Why a request is rejected by its headers, if it is. */
function rejectionOf(calls: Calls, ...request: Parameters<Calls['judge']>): Rejection | undefined {
  const judged = calls.judge(...request);
  return 'error' in judged ? judged : undefined;
}

const caller = workload('spiffe://example.com/a');

function setUp(
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

const noRequest = () => ({});

describe('a method for administrators', () => {
  test.each([
    ['nobody was named', undefined, 'ADMIN_REQUIRED'],
    ['the caller was not named', () => false, 'ADMIN_REQUIRED'],
    ['the caller was named', () => true, 'OK'],
  ])('where %s', async (_, isAdministrator, outcome) => {
    const { service, events, endOfStreams, identify, lines } = setUp(() => ({}));
    const named = isAdministrator === undefined ? {} : { isAdministrator };
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, ...named });
    const procedure = vi.fn<() => object>(() => ({}));
    const admin: AnyService = { ...service, access: 'admin', procedures: { getKeySet: procedure } };
    const answer = calls.run(admin, 'getKeySet', noRequest, calls.open(arrival, 'unary', undefined, 'admin'));
    expect(
      await answer.then(
        () => 'OK',
        ({ reason }) => reason as string,
      ),
    ).toBe(outcome);
    expect(procedure).toHaveBeenCalledTimes(outcome === 'OK' ? 1 : 0);
    expect(lines).toMatchObject([{ caller: caller.id, code: outcome === 'OK' ? 'OK' : 'PERMISSION_DENIED' }]);
  });
});

describe('who makes a call', () => {
  test.each([
    ['by its connection', (error: Error) => ({ identify: raising(error) })],
    ['by its headers', (error: Error) => ({ authenticate: raising(error) })],
  ])('a bug in finding it out %s is told as one, and never to the caller', (_, options) => {
    const { events, endOfStreams, identify, lines } = setUp(() => ({}));
    const broken = options(new TypeError('no such member'));
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, ...broken });
    const { stopped } = calls.open(arrival, 'unary', undefined);
    expect(stopped).toMatchObject({ reason: 'INTERNAL', message: expect.not.stringContaining('member') });
    expect(lines).toMatchObject([{ event: 'bug', cause: { message: 'no such member' } }]);
  });

  const raising = (error: Error) => () => {
    throw error;
  };
});

describe('a unary call', () => {
  test('its answer passes through, and its one event says OK', async () => {
    const { calls, service, lines } = setUp((_request, call) => ({ jwksJson: call.method }));
    const call = calls.open(arrival, 'unary', undefined);
    expect(await calls.run(service, 'getKeySet', noRequest, call)).toEqual({ jwksJson: arrival.method });
    call.abandon();
    expect(lines).toMatchObject([{ event: 'call', code: 'OK', outcome: 'ok', caller: caller.id }]);
  });

  test.each([
    [undefined, 60_000],
    [3_600_000, 60_000],
    [250, 250],
  ])('with a deadline of %s ms a stuck procedure is given up after %d ms', async (asked, given) => {
    const { calls, service, lines } = setUp(() => new Promise(() => undefined));
    const call = calls.open(arrival, 'unary', asked);
    const answer = calls.run(service, 'getKeySet', noRequest, call);
    const settled = vi.fn<() => void>();
    answer.catch(settled);
    await vi.advanceTimersByTimeAsync(given - 1);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await expect(answer).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    expect(lines).toMatchObject([{ code: 'DEADLINE_EXCEEDED', outcome: 'error' }]);
  });

  test('H14: a deadline that has passed on arrival runs nothing', async () => {
    const procedure = vi.fn<() => object>(() => ({}));
    const { calls, service } = setUp(procedure);
    const call = calls.open(arrival, 'unary', 0);
    await expect(calls.run(service, 'getKeySet', noRequest, call)).rejects.toMatchObject({
      reason: 'DEADLINE_EXCEEDED',
    });
    expect(procedure).not.toHaveBeenCalled();
  });

  test('H14: a caller that goes aborts the signal and ends the call with CALL_CANCELLED, once', async () => {
    let signal: AbortSignal | undefined;
    const { calls, service, lines } = setUp((_request, call) => {
      signal = call.signal;
      return new Promise(() => undefined);
    });
    const call = calls.open(arrival, 'unary', undefined);
    const answer = calls.run(service, 'getKeySet', noRequest, call);
    call.abandon();
    await expect(answer).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
    expect(signal?.aborted).toBe(true);
    expect(lines).toMatchObject([{ code: 'CANCELLED', reason: 'CALL_CANCELLED' }]);
    expect(lines).toHaveLength(1);
  });

  test('a bug is INTERNAL with a neutral message, and is written once with its cause', async () => {
    const { calls, service, lines } = setUp(() => {
      throw new RangeError('index 7');
    });
    const failed = calls.run(service, 'getKeySet', noRequest, calls.open(arrival, 'unary', undefined));
    await expect(failed).rejects.toMatchObject({ reason: 'INTERNAL', message: 'the service failed' });
    expect(lines).toMatchObject([
      { event: 'bug', cause: { name: 'RangeError', message: 'index 7' } },
      { event: 'call', code: 'INTERNAL', outcome: 'error' },
    ]);
  });

  test('a bug that shows after the deadline is still written', async () => {
    const late = Promise.withResolvers<never>();
    const { calls, service, lines } = setUp(() => late.promise);
    const answer = calls.run(service, 'getKeySet', noRequest, calls.open(arrival, 'unary', 5));
    const outcome = expect(answer).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    await vi.advanceTimersByTimeAsync(5);
    await outcome;
    late.reject(new TypeError('late'));
    await vi.waitFor(() => expect(lines.map((line) => line['event'])).toEqual(['call', 'bug']), SOON);
  });

  test('what a dependency said stays in the event; the caller sees the reason', async () => {
    const cause = new Error('disk I/O error');
    const { calls, service, lines } = setUp(() => {
      throw new EctError(reject('LEDGER_UNAVAILABLE', 'the ledger does not answer'), { cause });
    });
    const failed = calls.run(service, 'getKeySet', noRequest, calls.open(arrival, 'unary', undefined));
    await expect(failed).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    expect(lines[0]).toMatchObject({ event: 'dependency-failed', causes: ['disk I/O error'] });
  });

  test('a caller that cannot be identified is rejected before the procedure; a public service serves it', async () => {
    const procedure = vi.fn<(request: never, call: Call) => object>(() => ({}));
    const untrusted = () => {
      throw new EctError(reject('CALLER_UNTRUSTED', 'no client certificate was presented'));
    };
    const closed = setUp(procedure);
    closed.identify.mockImplementation(untrusted);
    const rejected = closed.calls.run(
      closed.service,
      'getKeySet',
      noRequest,
      closed.calls.open(arrival, 'unary', undefined),
    );
    await expect(rejected).rejects.toMatchObject({ reason: 'CALLER_UNTRUSTED' });
    expect(procedure).not.toHaveBeenCalled();

    const open = setUp(procedure, 'public');
    open.identify.mockImplementation(untrusted);
    await open.calls.run(open.service, 'getKeySet', noRequest, open.calls.open(arrival, 'unary', undefined, 'public'));
    expect(procedure.mock.calls[0]?.[1].caller).toEqual({ kind: 'anonymous' });
  });

  test('L17: while the service drains, a call of a peer that could not know is served', async () => {
    const { calls, service, endOfStreams } = setUp(() => ({}));
    endOfStreams.abort();
    expect(await calls.run(service, 'getKeySet', noRequest, calls.open(arrival, 'unary', undefined))).toEqual({});
  });

  test('H38: it has not ended before its answer is written', async () => {
    const { calls, service, lines } = setUp(() => ({}));
    const written = Promise.withResolvers<string>();
    const call = calls.open(arrival, 'unary', undefined);
    const answer = calls.run(service, 'getKeySet', noRequest, call, () => written.promise);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect([call.isFinished, lines]).toEqual([false, []]);
    written.resolve('bytes');
    expect(await answer).toBe('bytes');
    expect([call.isFinished, lines.length]).toEqual([true, 1]);
  });

  test('an answer that rejects has the reason it noted, under OK', async () => {
    const { calls, service, lines } = setUp((_request, call) => {
      call.note('TOKEN_EXPIRED');
      return {};
    });
    await calls.run(service, 'getKeySet', noRequest, calls.open(arrival, 'unary', undefined));
    expect(lines).toMatchObject([{ code: 'OK', reason: 'TOKEN_EXPIRED', outcome: 'refused' }]);
  });
});

describe('a streaming call', () => {
  test('it has no deadline unless its caller sets one', async () => {
    const { calls, service } = setUp(async function* () {
      yield 1;
      await new Promise(() => undefined);
    });
    const call = calls.open(arrival, 'stream', undefined);
    const answers = calls.stream(service, 'watch', {}, call);
    expect(await answers.next()).toEqual({ done: false, value: 1 });
    const next = answers.next();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(call.signal.aborted).toBe(false);
    call.abandon();
    await expect(next).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
  });

  test('L17: it ends with SERVICE_DRAINING when the service drains, even if it is stuck', async () => {
    const { calls, service, endOfStreams, lines } = setUp(async function* () {
      yield 1;
      await new Promise(() => undefined);
    });
    const answers = calls.stream(service, 'watch', {}, calls.open(arrival, 'stream', undefined));
    await answers.next();
    const next = answers.next();
    endOfStreams.abort();
    await expect(next).rejects.toMatchObject({ reason: 'SERVICE_DRAINING' });
    const late = calls.stream(service, 'watch', {}, calls.open(arrival, 'stream', undefined));
    await expect(late.next()).rejects.toMatchObject({ reason: 'SERVICE_DRAINING' });
    const line = { code: 'UNAVAILABLE', reason: 'SERVICE_DRAINING' };
    expect(lines).toMatchObject([line, line]);
  });
});

describe('H17: where a turn of the event loop has begun enough calls', () => {
  /** A line that moves when it is told to. */
  function setUpInLine(access?: AnyService['access']) {
    const procedure = vi.fn<(request: unknown) => object>((request) => ({ jwksJson: request }));
    const { service, events, endOfStreams, identify, lines } = setUp(procedure, access);
    const line: (() => void)[] = [];
    const scheduler = Object.assign(new CallScheduler(), {
      enter: (_account: Account, _load: object, begin: () => void) => void line.push(begin),
    });
    const resources = { ...createResources(DEFAULT_PROCESS_LIMITS), scheduler };
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, resources });
    const move = () => {
      for (const begin of line.splice(0)) begin();
    };
    return { calls, service, endOfStreams, procedure, lines, move };
  }

  test('a call stands in line, and neither reads its request nor begins before its turn', async () => {
    const { calls, service, procedure, move } = setUpInLine();
    const read = vi.fn<() => unknown>(() => 'a request');
    const answer = calls.run(service, 'getKeySet', read, calls.open(arrival, 'unary', undefined));
    await Promise.resolve();
    expect([read, procedure].map((told) => told.mock.calls.length)).toEqual([0, 0]);
    move();
    expect(await answer).toEqual({ jwksJson: 'a request' });
  });

  test('a call whose deadline passes in line is answered then, and never begins', async () => {
    const { calls, service, procedure, lines, move } = setUpInLine();
    const answer = calls.run(service, 'getKeySet', noRequest, calls.open(arrival, 'unary', 5));
    vi.advanceTimersByTime(5);
    await expect(answer).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    move();
    await Promise.resolve();
    expect(procedure).not.toHaveBeenCalled();
    expect(lines).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }]);
  });

  test('a request that cannot be read fails its own call, with its own reason, and no other', async () => {
    const { calls, service, move } = setUpInLine();
    const read = () => {
      throw new EctError(reject('REQUEST_MALFORMED', 'no message'));
    };
    const answer = calls.run(service, 'getKeySet', read, calls.open(arrival, 'unary', undefined));
    const next = calls.run(service, 'getKeySet', () => 'next', calls.open(arrival, 'unary', undefined));
    move();
    await expect(answer).rejects.toMatchObject({ reason: 'REQUEST_MALFORMED' });
    expect(await next).toEqual({ jwksJson: 'next' });
  });

  test('public services do not stand in line', async () => {
    const { calls, service } = setUpInLine('public');
    const call = calls.open(arrival, 'unary', undefined, 'public');
    expect(await calls.run(service, 'getKeySet', () => 'at once', call)).toEqual({ jwksJson: 'at once' });
  });
});

describe('H17: under too much load', () => {
  function withAdmission(admits: boolean) {
    const admission = { open: 0, admits: () => admits, begun: vi.fn<() => void>(), ended: vi.fn<() => void>() };
    return { admission, resources: { ...createResources(DEFAULT_PROCESS_LIMITS), admission } };
  }
  const counts = ({ begun, ended }: ReturnType<typeof withAdmission>['admission']) =>
    [begun, ended].map((told) => told.mock.calls.length);

  test('a call is rejected before its procedure, its event says so, and it is not counted as work', async () => {
    const procedure = vi.fn<() => object>(() => ({}));
    const { service, events, endOfStreams, identify, lines } = setUp(procedure);
    const { admission, resources } = withAdmission(false);
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, resources });
    const call = calls.open(arrival, 'unary', undefined, 'callers');
    await expect(calls.run(service, 'getKeySet', noRequest, call)).rejects.toMatchObject({
      reason: 'SERVICE_OVERLOADED',
    });
    expect(procedure).not.toHaveBeenCalled();
    expect(counts(admission)).toEqual([0, 0]);
    expect(lines).toMatchObject([{ code: 'UNAVAILABLE', reason: 'SERVICE_OVERLOADED', outcome: 'refused' }]);
  });

  test('a caller with as many open calls as it may have is told of its own quota, another one of the load', () => {
    const { events, endOfStreams, identify } = setUp(() => ({}));
    const { resources } = withAdmission(false);
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, resources });
    const account = calls.accountOf(arrival.socket);
    for (let open = 0; open < MAX_ACCOUNT_CALLS; open++) account.callOpened();
    const own = calls.open(arrival, 'unary', undefined, 'callers').stopped;
    expect(own).toMatchObject({
      reason: 'QUOTA_EXCEEDED',
      metadata: { quota: 'open_calls_per_caller', limit: '4096' },
    });
    account.callEnded();
    expect(calls.open(arrival, 'unary', undefined, 'callers').stopped?.reason).toBe('SERVICE_OVERLOADED');
  });

  test.each(['public', 'admin'] as const)('what is %s answers all the same', async (access) => {
    const { service, events, endOfStreams, identify } = setUp(() => ({}));
    const { resources } = withAdmission(false);
    const isAdministrator = () => true;
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, resources, isAdministrator });
    const call = calls.open(arrival, 'unary', undefined, access);
    expect(await calls.run(service, 'getKeySet', noRequest, call)).toEqual({});
  });

  test('each admitted call counts once it was read, and ends once, however it ends', async () => {
    const { service, events, endOfStreams, identify } = setUp(() => ({}));
    const { admission, resources } = withAdmission(true);
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, resources });
    const call = calls.open(arrival, 'unary', undefined, 'callers');
    expect(counts(admission)).toEqual([0, 0]);
    await calls.run(service, 'getKeySet', noRequest, call);
    call.abandon();
    expect(counts(admission)).toEqual([1, 1]);
  });

  test('H20: a call whose request does not arrive never counts as load', () => {
    const { events, endOfStreams, identify, lines } = setUp(() => ({}));
    const { admission, resources } = withAdmission(true);
    const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, resources });
    const call = calls.open(arrival, 'unary', undefined);
    calls.arriving(call);
    expect(resources.unread.size).toBe(1);
    call.abandon();
    expect([...counts(admission), resources.unread.size]).toEqual([0, 0, 0]);
    expect(lines).toMatchObject([{ code: 'CANCELLED' }]);
  });
});

describe('A1: a request is judged by its headers', () => {
  const untrusted = () => {
    throw new EctError(reject('CALLER_UNTRUSTED', 'no client certificate was presented'));
  };

  test('a caller that proves nothing is stopped before anything of its request is read', () => {
    const { calls, identify } = setUp(() => ({}));
    identify.mockImplementation(untrusted);
    expect(calls.open(arrival, 'unary', undefined).stopped).toMatchObject({ reason: 'CALLER_UNTRUSTED' });
    expect(rejectionOf(calls, arrival, 'callers', 1)).toMatchObject({ error: { reason: 'CALLER_UNTRUSTED' } });
  });

  test('a credential of the request decides, and a proven peer is not disconnected for what it carries', () => {
    const { events, endOfStreams, identify, lines } = setUp(() => ({}));
    const behind = workload('spiffe://example.com/behind');
    const authenticate = vi.fn<() => typeof behind>(() => behind);
    const calls = createCalls({ events, identify, authenticate, endOfStreams: endOfStreams.signal });
    calls.open(arrival, 'unary', undefined).finish();
    calls.openFor(behind, arrival, 'unary', undefined, 'callers').finish();
    expect(authenticate).toHaveBeenCalledTimes(1);
    expect(lines.map((line) => line['caller'])).toEqual([behind.id, behind.id]);
    authenticate.mockImplementation(untrusted);
    const rejection = rejectionOf(calls, arrival, 'callers', 1);
    expect(rejection).toMatchObject({ error: { reason: 'CALLER_UNTRUSTED' }, caller });
    const penalties = Array.from({ length: 2_000 }, () => rejectionOf(calls, arrival, 'callers', 1)?.penalty);
    expect(new Set(penalties)).toEqual(new Set(['none', 'throttle']));
  });

  test('what is public looks at no credential', () => {
    const { events, endOfStreams, identify } = setUp(() => ({}));
    const calls = createCalls({ events, identify, authenticate: untrusted, endOfStreams: endOfStreams.signal });
    expect(calls.judge(arrival, 'public', 0)).toBe(caller);
  });

  test('so is one that may not call the method', () => {
    const { calls } = setUp(() => ({}));
    expect(calls.open(arrival, 'unary', undefined, 'admin').stopped).toMatchObject({ reason: 'ADMIN_REQUIRED' });
    expect(rejectionOf(calls, arrival, 'admin', 1)).toMatchObject({ error: { reason: 'ADMIN_REQUIRED' } });
  });

  test('a connection that goes on calling without a caller is disconnected', () => {
    const { calls, identify } = setUp(() => ({}));
    identify.mockImplementation(untrusted);
    const own = { ...arrival, socket: new Socket() };
    let calm = 0;
    while (rejectionOf(calls, own, 'callers', 1)?.penalty === 'none') calm++;
    expect(calm).toBeGreaterThanOrEqual(10);
    expect(calm).toBeLessThan(100);
    expect(rejectionOf(calls, own, 'callers', 1)?.penalty).toBe('disconnect');
    expect(calls.open(own, 'unary', undefined).penalty).toBe('disconnect');
  });

  test('a caller that goes on though it is rejected is not read from for a while', () => {
    const { calls } = setUp(() => ({}));
    let calm = 0;
    let penalty: string | undefined;
    for (; penalty !== 'throttle'; calm++) penalty = rejectionOf(calls, arrival, 'admin', 1)?.penalty;
    expect(calm).toBeGreaterThanOrEqual(1_000);
  });

  test('H21: a stream for which its connection has no slot is rejected by its headers, and a flood of them is not read from', () => {
    const resources = createResources(DEFAULT_PROCESS_LIMITS);
    const { calls } = setUp(() => ({}), 'public', resources);
    const own = { ...arrival, socket: new Socket() };
    while (resources.streams.take(own.socket) !== undefined);
    expect(rejectionOf(calls, own, 'public', 0.05)).toBeUndefined();
    expect(rejectionOf(calls, own, 'public', 0.05, 'stream')).toMatchObject({
      error: { reason: 'QUOTA_EXCEEDED', metadata: { quota: 'open_streams_per_connection', limit: '16' } },
    });
    let penalty: string | undefined;
    for (let asked = 0; penalty !== 'rest' && asked < 1_000; asked++) {
      penalty = rejectionOf(calls, own, 'public', 0.05, 'stream')?.penalty;
    }
    expect(penalty).toBe('rest');
    expect(pauseOf('rest')).toBeGreaterThan(pauseOf('throttle')!);
    expect(rejectionOf(calls, { ...arrival, socket: new Socket() }, 'public', 0.05, 'stream')).toBeUndefined();
  });

  test('H29: what is public has a rate on each connection, and the first requests are always answered', () => {
    const { calls } = setUp(() => ({}), 'public');
    const flood = { ...arrival, socket: new Socket() };
    let answered = 0;
    while (rejectionOf(calls, flood, 'public', 0.05) === undefined) answered++;
    expect(answered).toBeLessThan(1_500);
    for (let connection = 0; connection < 3_000; connection++) {
      expect(rejectionOf(calls, { ...arrival, socket: new Socket() }, 'public', 1)).toBeUndefined();
    }
  });
});
