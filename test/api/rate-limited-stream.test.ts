// H29: the requests of a public stream are read at a bounded rate, and a stream that asks nothing ends.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { paced } from '../../src/api/rate-limited-stream.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

async function* numbers(count: number): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) yield number;
}

const PACE = { rate: { burst: 5, perSecond: 10 }, idleMs: 60_000 };

test('H29: a burst passes at once, and what follows at the rate, in order', async () => {
  const seen: number[] = [];
  const reading = (async () => {
    for await (const number of paced(numbers(8), new AbortController().signal, PACE)) seen.push(number);
  })();
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  await vi.advanceTimersByTimeAsync(120);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  await vi.advanceTimersByTimeAsync(1_000);
  await reading;
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('H21: a stream without a request for a minute ends', async () => {
  const silent = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<number>>(() => undefined) }),
  };
  const next = paced(silent, new AbortController().signal, PACE).next();
  await vi.advanceTimersByTimeAsync(59_999);
  const ended = vi.fn<() => void>();
  next.then(ended, ended);
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(await next).toEqual({ done: true, value: undefined });
  expect(vi.getTimerCount()).toBe(0);
});

test('a request that waits for the rate ends with its call', async () => {
  const ending = new AbortController();
  const requests = paced(numbers(10), ending.signal, PACE);
  for (let burst = 0; burst < 5; burst++) await requests.next();
  const next = requests.next();
  next.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(10);
  ending.abort();
  await vi.advanceTimersByTimeAsync(20);
  await expect(next).rejects.toThrow();
});
