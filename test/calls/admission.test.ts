// Which calls begin, and when: in turn, under load, and only where the headers of a request allow it.

import { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import type { AnyService } from '../../src/calls/call.ts';
import { createCalls } from '../../src/calls/calls.ts';
import { LONG_THROTTLE_MS, NO_PENALTY, type Penalty, THROTTLE_MS } from '../../src/calls/penalty.ts';
import { EctError, reject } from '../../src/errors.ts';
import { CallScheduler } from '../../src/limits/call-scheduler.ts';
import { type Account, createResources, DEFAULT_PROCESS_LIMITS, MAX_ACCOUNT_CALLS } from '../../src/limits/index.ts';
import { workload } from '../support/callers.ts';
import { arrival, caller, noRequest, rejectionOf, setUp } from './arrivals.ts';

describe('H17: where a turn of the event loop has begun enough calls', () => {
  /** A queue that starts its calls when the test says so. */
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

  test('a call waits in the queue, and neither reads its request nor begins before its turn', async () => {
    const { calls, service, procedure, move } = setUpInLine();
    const read = vi.fn<() => unknown>(() => 'a request');
    const answer = calls.run(service, 'getKeySet', read, calls.open(arrival, 'unary', undefined));
    await Promise.resolve();
    expect([read, procedure].map((fn) => fn.mock.calls.length)).toEqual([0, 0]);
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

  test('public services do not wait in the queue', async () => {
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
    [begun, ended].map((fn) => fn.mock.calls.length);

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

  test('the rejection of a caller with the maximum of open calls names its quota, that of another caller the load', () => {
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

  test('a credential of the request decides, and a proven peer has no penalty for what it carries', () => {
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
    expect(new Set(penalties)).toEqual(new Set([NO_PENALTY]));
  });

  describe('H48: a connection that carries the calls of several callers', () => {
    /** The connection of a proxy, on which two workloads have called, or one. */
    function setUpShared(names = ['a', 'b'], peer = workload('spiffe://example.com/a')) {
      const { events, endOfStreams, identify } = setUp(() => ({}));
      identify.mockReturnValue(peer);
      const authenticate = vi.fn<() => typeof caller>();
      const calls = createCalls({ events, identify, authenticate, endOfStreams: endOfStreams.signal });
      const shared = { ...arrival, socket: new Socket() };
      for (const name of names) {
        authenticate.mockReturnValueOnce(workload(`spiffe://example.com/${name}`));
        calls.open(shared, 'unary', undefined).finish();
      }
      authenticate.mockImplementation(() => workload('spiffe://example.com/a'));
      const penalties = (access: 'admin' | 'callers' | 'public') =>
        new Set(Array.from({ length: 3_000 }, () => rejectionOf(calls, shared, access, 0.05)?.penalty));
      return { identify, authenticate, penalties };
    }

    test('is not paused for a flood of one of them, which would delay the calls of the others', () => {
      const { penalties } = setUpShared();
      expect(penalties('admin')).toEqual(new Set([NO_PENALTY]));
    });

    test('nor for a flood of public requests, from callers and from others', () => {
      const { penalties } = setUpShared();
      expect(penalties('public')).toEqual(new Set([undefined, NO_PENALTY]));
    });

    test('nor for credentials that prove nothing, on the connection of a proxy; nor is one without a certificate closed', () => {
      const { identify, authenticate, penalties } = setUpShared();
      authenticate.mockImplementation(untrusted);
      expect(penalties('callers')).toEqual(new Set([NO_PENALTY]));
      identify.mockImplementation(untrusted);
      expect(penalties('callers')).toEqual(new Set([NO_PENALTY]));
    });

    test('is that of a proxy as soon as it has forwarded a call', () => {
      const { penalties } = setUpShared(['a'], workload('spiffe://example.com/proxy'));
      expect(penalties('public')).toEqual(new Set([undefined, NO_PENALTY]));
    });

    test('is not one with the calls of a single caller, its peer', () => {
      const { penalties } = setUpShared(['a', 'a']);
      expect(penalties('admin')).toEqual(new Set([NO_PENALTY, THROTTLE_MS]));
      expect(penalties('public')).toEqual(new Set([undefined, LONG_THROTTLE_MS, NO_PENALTY]));
    });
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
    while (rejectionOf(calls, own, 'callers', 1)?.penalty === NO_PENALTY) calm++;
    expect(calm).toBeGreaterThanOrEqual(10);
    expect(calm).toBeLessThan(100);
    expect(rejectionOf(calls, own, 'callers', 1)?.penalty).toBe('disconnect');
    expect(calls.open(own, 'unary', undefined).penalty).toBe('disconnect');
  });

  test('a connection on which a caller has called stays open when its token expires, whatever strangers do meanwhile', () => {
    const { events, endOfStreams, identify } = setUp(() => ({}));
    identify.mockImplementation(untrusted);
    const authenticate = vi.fn<() => typeof caller>(untrusted);
    const calls = createCalls({ events, identify, authenticate, endOfStreams: endOfStreams.signal });
    const own = { ...arrival, socket: new Socket() };
    authenticate.mockReturnValueOnce(caller);
    calls.open(own, 'unary', undefined).finish();
    const stranger = () => rejectionOf(calls, { ...arrival, socket: new Socket() }, 'callers', 1)?.penalty;
    while (stranger() !== 'disconnect');
    expect(rejectionOf(calls, own, 'callers', 1)?.penalty).toBe(NO_PENALTY);
    const later = Array.from({ length: 100 }, () => rejectionOf(calls, own, 'callers', 1)?.penalty);
    expect(later.at(-1)).toBe(LONG_THROTTLE_MS);
  });

  test('a caller that goes on though it is rejected is not read from for a while', () => {
    const { calls } = setUp(() => ({}));
    let calm = 0;
    let penalty: Penalty | undefined;
    for (; penalty !== THROTTLE_MS; calm++) penalty = rejectionOf(calls, arrival, 'admin', 1)?.penalty;
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
    let penalty: Penalty | undefined;
    for (let asked = 0; penalty !== LONG_THROTTLE_MS && asked < 1_000; asked++) {
      penalty = rejectionOf(calls, own, 'public', 0.05, 'stream')?.penalty;
    }
    expect(penalty).toBe(LONG_THROTTLE_MS);
    expect(LONG_THROTTLE_MS).toBeGreaterThan(THROTTLE_MS);
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
