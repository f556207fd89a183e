// A7: a stream of an agent, whatever the agent sends.

import { expect, test } from 'vitest';
import { KeptStream } from '../../src/workload-api/kept-stream.ts';

const BETWEEN_MS = 100;

test('A7 between two messages of an agent that sends without an end there is a pause, and nothing is read ahead', async () => {
  const taken: number[] = [];
  const order: string[] = [];
  let sent = 0;
  const third = Promise.withResolvers<void>();
  async function* endless() {
    for (;;) yield sent++;
  }
  const stream = new KeptStream<number>({
    open: endless,
    onMessage: (message) => {
      taken.push(message);
      order.push('message');
      // A timer that is due before the end of the pause, on a busy machine too.
      setTimeout(() => order.push('half of the pause'), BETWEEN_MS / 2);
      if (taken.length === 3) third.resolve();
    },
    onDown: () => undefined,
    times: { firstPauseMs: 1, longestPauseMs: 1, firstMessageMs: 10_000, betweenMs: BETWEEN_MS },
  });
  stream.start();
  await third.promise;
  expect(order).toEqual(['message', 'half of the pause', 'message', 'half of the pause', 'message']);
  await stream.stop();
  expect(sent).toBe(taken.length);
});
