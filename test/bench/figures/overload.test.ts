import { describe, expect, test } from 'vitest';
import { readStorm, recoverySeconds } from '../../../bench/figures/overload.ts';
import type { Sample } from '../../../bench/load-order.ts';

const sample = (dueMs: number, status: number | undefined, latencyMs: number | undefined): Sample => ({
  dueMs,
  status,
  latencyMs,
  sinceSentMs: latencyMs === undefined ? undefined : latencyMs / 2,
});

describe('overload (H17)', () => {
  test('goodput is what was answered well and in time, of the calls that were due in the storm', () => {
    const samples = [
      sample(999, 0, 1), // before it
      sample(1000, 0, 10),
      sample(1500, 0, 1000),
      sample(1600, 0, 1001), // too late to be of use
      sample(1700, 8, 20),
      sample(1800, 14, 40),
      sample(1900, 4, 1000),
      sample(1950, undefined, undefined),
      sample(3000, 0, 1), // after it
    ];
    expect(readStorm(samples, 1000, 3000)).toEqual({
      good: 2,
      rejected: 2,
      lost: 3,
      goodPerSecond: 1,
      rejectionP99Ms: 20,
    });
  });

  test('where nothing was rejected there is no time to reject', () => {
    expect(readStorm([sample(0, 0, 1)], 0, 1000).rejectionP99Ms).toBeUndefined();
  });

  test('recovery is the time until a whole second was calm', () => {
    const calm = Array.from({ length: 40 }, (_, call) => sample(1000 + call * 50, 0, 5));
    expect(recoverySeconds(calm, 1000, 50)).toBe(0);
    expect(recoverySeconds([...calm, sample(1600, 0, 51)], 1000, 50)).toBe(0.75);
    expect(recoverySeconds([...calm, sample(1600, 0, 51)], 1000, 60)).toBe(0);
    expect(recoverySeconds([...calm, sample(1100, 8, 1)], 1000, 50)).toBe(0.25);
    expect(recoverySeconds([sample(900, 4, 1000), ...calm], 1000, 50)).toBe(0);
  });

  test('a hiccup long after the recovery does not undo it', () => {
    const calm = Array.from({ length: 40 }, (_, call) => sample(1000 + call * 50, 0, 5));
    expect(recoverySeconds([...calm, sample(2800, 0, 500)], 1000, 50)).toBe(0);
  });

  test('a service that is calm for less than a second has not recovered', () => {
    const calm = Array.from({ length: 19 }, (_, call) => sample(1000 + call * 50, 0, 5));
    expect(recoverySeconds([...calm, sample(1960, undefined, undefined)], 1000, 50)).toBeUndefined();
  });
});
