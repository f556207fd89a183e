// Only the bytes of a request are counted. Its message, and the results of its items, can take several times as much memory.

import { expect, test, vi } from 'vitest';
import { SOON } from '../support/soon.ts';
import { arrival, setUp } from './arrivals.ts';

const KIB = 1024;

test.each([
  ['of 64 KiB at most are read when they come', 64 * KIB, 20],
  ['of more are read by four calls of a caller at once, and those that wait hold bytes alone', 64 * KIB + 1, 4],
])('H24 H38: requests %s', async (_, bytes, atOnce) => {
  const answers: (() => void)[] = [];
  const { calls, service } = setUp(() => new Promise((resolve) => void answers.push(() => resolve({}))));
  const read = vi.fn<() => object>(() => ({}));
  const running = Array.from({ length: 20 }, () => {
    const call = calls.open(arrival, 'unary', undefined);
    call.requestBytes = bytes;
    return calls.run(service, 'getKeySet', read, call);
  });
  let answered = 0;
  for (let most = atOnce; answered < 20; most = Math.min(20, most + 1)) {
    await vi.waitUntil(() => read.mock.calls.length === most, SOON);
    // A call that has been answered makes room for the next.
    answers.shift()?.();
    answered++;
  }
  expect(await Promise.all(running)).toHaveLength(20);
});
