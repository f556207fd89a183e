import { expect, test } from 'vitest';
import { LineRateLimit } from '../../src/telemetry/line-rate-limit.ts';

test('one line in a while, with how many were left out since the one before', () => {
  let nowMs = 0;
  const lines = new LineRateLimit(60_000, () => nowMs);
  expect([lines.next(), lines.next(), lines.next()]).toEqual([0, undefined, undefined]);
  nowMs = 59_999;
  expect(lines.next()).toBeUndefined();
  nowMs = 60_000;
  expect([lines.next(), lines.next()]).toEqual([3, undefined]);
  nowMs = 120_000;
  expect(lines.next()).toBe(1);
});
