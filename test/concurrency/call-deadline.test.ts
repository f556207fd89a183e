// The deadline of a call reaches what the call begins, and nothing else: neither the calls that share a commit with it, nor what goes on
// when it is over.

import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createCalls } from '../../src/calls/calls.ts';
import { answeredBy, deadlineMs, timeLeftMs, underDeadline } from '../../src/concurrency/call-deadline.ts';
import { EctError, reject } from '../../src/errors.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { AppendQueue } from '../../src/ledger/append-queue.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { appendTo, issueFor } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { candidateOf } from '../support/candidates.ts';

const NONE = Number.POSITIVE_INFINITY;
const SOON_MS = 60_000;
const inMs = (ms: number) => performance.now() + ms;

test('it holds for all that the work begins, also later, and for nothing around it', async () => {
  const atMs = inMs(SOON_MS);
  const later = underDeadline(atMs, async () => {
    await nextTurn();
    return [deadlineMs(), underDeadline(NONE, deadlineMs), deadlineMs()];
  });
  expect([deadlineMs(), timeLeftMs()]).toEqual([NONE, NONE]);
  expect(await later).toEqual([atMs, NONE, atMs]);
});

test('late work is not waited for, and its result is dropped', async () => {
  const work = Promise.withResolvers<string>();
  await expect(answeredBy(inMs(5), work.promise, () => new Error('too late'))).rejects.toThrow('too late');
  await expect(answeredBy(inMs(-1), work.promise, () => new Error('too late'))).rejects.toThrow('too late');
  work.reject(new Error('nobody hears this'));
  expect(await answeredBy(inMs(SOON_MS), Promise.resolve('in time'), () => new Error('too late'))).toBe('in time');
});

describe('a shared commit', () => {
  /** A queue that notes under which deadline each commit ran, and commits when the test says so. */
  function notingQueue() {
    const deadlines: number[] = [];
    let goOn = Promise.withResolvers<void>();
    const queue = new AppendQueue<string>(async (batch) => {
      deadlines.push(deadlineMs());
      await goOn.promise;
      for (const { candidate, resolve } of batch) resolve(candidate.name);
    }, 256);
    const commit = () => {
      goOn.resolve();
      goOn = Promise.withResolvers();
    };
    return { queue, deadlines, commit };
  }

  test('L20: has the latest deadline of those who wait for it, not that of the call that began the queue', async () => {
    const { queue, deadlines, commit } = notingQueue();
    const [soonMs, laterMs] = [inMs(SOON_MS), inMs(2 * SOON_MS)];
    const add = (name: string, atMs: number) => underDeadline(atMs, () => queue.add(candidateOf(name)));
    const first = add('first', soonMs);
    while (deadlines.length < 1) await nextTurn();
    // These wait for the commit that is under way.
    const second = [add('a', soonMs), add('b', laterMs)];
    commit();
    await first;
    while (deadlines.length < 2) await nextTurn();
    const third = [add('c', soonMs), queue.add(candidateOf('d'))];
    commit();
    await Promise.all(second);
    while (deadlines.length < 3) await nextTurn();
    commit();
    await Promise.all(third);
    expect(deadlines).toEqual([soonMs, laterMs, NONE]);
  });

  test('L20: a caller whose deadline has passed learns that the outcome is unknown, and the others continue to wait', async () => {
    const { queue, deadlines, commit } = notingQueue();
    const patient = queue.add(candidateOf('patient'));
    const late = underDeadline(inMs(20), () => queue.add(candidateOf('late')));
    await expect(late).rejects.toMatchObject({
      reason: 'LEDGER_UNAVAILABLE',
      message: expect.stringContaining('the outcome is open'),
    });
    expect(deadlines).toEqual([NONE]);
    commit();
    expect(await patient).toBe('patient');
  });
});

test('an entry that follows its token is written under no deadline', async () => {
  const seen: number[] = [];
  const { context } = await makeAuthority();
  const { append } = context.ledger;
  context.ledger.append = function noting(...all) {
    seen.push(deadlineMs());
    return append.apply(this, all);
  };
  const order = { level: 'L3', record: 'async' } as const;
  await underDeadline(inMs(SOON_MS), () => issueFor(context, order));
  await context.recordings.drain();
  expect(seen).toEqual([NONE]);
});

describe('a ledger that does not answer', () => {
  /** How often an append asks it, where it fails like this. */
  async function attempts(failure: () => EctError, leftMs: number): Promise<number> {
    let count = 0;
    const { context } = await makeAuthority();
    const { token } = await issueFor(context, {});
    context.ledger.append = () => {
      count++;
      return Promise.reject(failure());
    };
    const call = underDeadline(inMs(leftMs), () => appendTo(context, token));
    await expect(call).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    return count;
  }

  test('is retried until the deadline', async () => {
    const failure = () => new EctError(reject('LEDGER_UNAVAILABLE', 'away'));
    expect(await attempts(failure, SOON_MS)).toBe(3);
    expect(await attempts(failure, 10)).toBe(1);
  });

  test('is not asked again where it says when to come back', async () => {
    const facts = { retry_after_seconds: '1' };
    expect(await attempts(() => new EctError(reject('LEDGER_UNAVAILABLE', 'away', facts)), SOON_MS)).toBe(1);
  });
});

describe('a unary call', () => {
  /** The time that a procedure has left, and the time since the call was opened, in milliseconds. */
  async function deadlineInside(timeoutMs: number | undefined, acceptsDeadlines: boolean) {
    const events = createEvents({ level: 'silent', destination: { write: () => undefined } });
    const identify = () => ({ kind: 'anonymous' }) as const;
    const calls = createCalls({ events, identify, endOfStreams: new AbortController().signal, acceptsDeadlines });
    let [leftMs, passedMs] = [Number.NaN, Number.NaN];
    const begunMs = performance.now();
    const getKeySet = async () => {
      await nextTurn();
      leftMs = timeLeftMs();
      passedMs = performance.now() - begunMs;
      return {};
    };
    const service = {
      descriptor: KeyService,
      access: 'callers',
      maxRequestBytes: { '*': 1 },
      procedures: { getKeySet },
    } as const;
    const arrival = {
      method: 'ect.v1.KeyService/GetKeySet',
      protocol: 'grpc',
      socket: new Socket(),
      header: () => [],
      httpMethod: 'POST',
      path: '/ect.v1.KeyService/GetKeySet',
    } as const;
    await calls.run(service, 'getKeySet', () => ({}), calls.open(arrival, 'unary', timeoutMs));
    return { leftMs, passedMs };
  }

  test('L20: its procedure has a tenth less than its caller waits, at most half a second, so that it can still be answered', async () => {
    for (const [timeoutMs, mostMs] of [
      [1_000, 900],
      [10_000, 9_500],
      [undefined, 59_500],
    ] as const) {
      const { leftMs, passedMs } = await deadlineInside(timeoutMs, true);
      expect(leftMs).toBeLessThanOrEqual(mostMs);
      expect(leftMs + passedMs).toBeGreaterThan(mostMs - 1);
    }
  });

  test('no deadline is set if no work waits for other machines', async () => {
    expect(await deadlineInside(1_000, false)).toMatchObject({ leftMs: NONE });
  });
});
