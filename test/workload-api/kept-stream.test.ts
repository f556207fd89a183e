// A7: a stream of an agent, whatever the agent sends.

import { expect, test } from 'vitest';
import { KeptStream } from '../../src/workload-api/kept-stream.ts';

const BETWEEN_MS = 100;

test('A7 an agent that sends without an end is read no faster than its messages are to be judged', async () => {
  const taken: number[] = [];
  let sent = 0;
  const third = Promise.withResolvers<void>();
  async function* endless() {
    for (;;) yield sent++;
  }
  const stream = new KeptStream<number>({
    open: endless,
    onMessage: (message) => {
      taken.push(message);
      if (taken.length === 3) third.resolve();
    },
    onDown: () => undefined,
    times: { firstPauseMs: 1, longestPauseMs: 1, firstMessageMs: 10_000, betweenMs: BETWEEN_MS },
  });
  const begunMs = performance.now();
  stream.start();
  await third.promise;
  // Timers may be early by a millisecond. Nothing is read ahead: the agent has to wait.
  expect(performance.now() - begunMs).toBeGreaterThan(2 * (BETWEEN_MS - 1));
  await stream.stop();
  expect(sent).toBe(taken.length);
});
