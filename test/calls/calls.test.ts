// What a call is, without a server: the socket is a real object of node:net that was never connected.

import { describe, expect, test, vi } from 'vitest';
import type { AnyService, Call } from '../../src/calls/call.ts';
import { createCalls } from '../../src/calls/calls.ts';
import { EctError, reject } from '../../src/errors.ts';
import { SOON } from '../support/soon.ts';
import { arrival, caller, noRequest, setUp } from './arrivals.ts';

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
  ])('a bug in finding it out %s is reported as a bug, and never to the caller', (_, options) => {
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
