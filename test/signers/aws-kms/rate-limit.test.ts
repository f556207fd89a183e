import { expect, test } from 'vitest';
import { RateLimit } from '../../../src/signers/aws-kms/rate-limit.ts';

/** Asks as often as time allows, and answers when calls started. */
function startsWithin(callsPerSecond: number, maxWaitMs: number, untilMs: number, stepMs: number): number[] {
  const rateLimit = new RateLimit(callsPerSecond, maxWaitMs);
  const starts: number[] = [];
  for (let now = 0; now < untilMs; now += stepMs) {
    const waitMs = rateLimit.take(now);
    if (waitMs !== undefined) starts.push(now + waitMs);
  }
  return starts;
}

test.each([1, 2, 5, 9, 10, 11, 95, 100, 1000])(
  'D1: a quota of %d a second is exceeded in no second, and is used',
  (quota) => {
    for (const maxWaitMs of [0, 250]) {
      const starts = startsWithin(quota, maxWaitMs, 10_000, 0.25);
      let most = 0;
      for (let first = 0, behind = 0; first < starts.length; first++) {
        while (behind < starts.length && starts[behind]! < starts[first]! + 1000) behind++;
        most = Math.max(most, behind - first);
      }
      expect(most).toBeLessThanOrEqual(quota);
      expect(starts.length).toBeGreaterThanOrEqual(Math.floor(10 * quota * 0.5));
    }
  },
);

test('a tenth goes at once, and the rest evenly', () => {
  const rateLimit = new RateLimit(100, 1000);
  const waits = Array.from({ length: 12 }, () => rateLimit.take(0)!);
  expect(Math.max(...waits.slice(0, 10))).toBeCloseTo(0);
  expect(waits[10]).toBeCloseTo(1000 / 90);
  expect(waits[11]).toBeCloseTo(2000 / 90);
});

test('a call that would wait too long takes no turn', () => {
  const rateLimit = new RateLimit(10, 50);
  expect(rateLimit.take(0)).toBe(0);
  for (let at = 0; at < 100; at++) expect(rateLimit.take(0)).toBeUndefined();
  expect(rateLimit.take(1000 / 9 - 40)).toBeCloseTo(40);
});

test.each([
  [60, 400],
  [100, 100],
  [1000, 1000],
])(
  'as many calls as fit into the wait each find a turn, of %i a second and with a wait of %i ms',
  (perSecond, waitMs) => {
    const rateLimit = new RateLimit(perSecond, waitMs);
    /** When the open calls begin, the next first: one that has begun makes room for another at once. */
    const begins: number[] = [];
    let nowMs = 0;
    for (let nth = 0; nth < 10 * rateLimit.calls; nth++) {
      if (begins.length === rateLimit.calls) nowMs = Math.max(nowMs, begins.shift()!);
      const wait = rateLimit.take(nowMs);
      expect(wait).toBeDefined();
      begins.push(nowMs + wait!);
    }
  },
);
