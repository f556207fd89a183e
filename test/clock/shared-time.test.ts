// How the shared clock is followed: before anything else, then regularly, whatever becomes of one reading.

import { expect, test, vi } from 'vitest';
import { followSharedTime, type SharedTime } from '../../src/clock/shared-time.ts';

const reading: SharedTime = { readMs: 1, steadyMs: 2, marginMs: 3 };

test('is read before the service continues, then every five seconds, also after a failed read', async () => {
  vi.useFakeTimers();
  try {
    const compared: SharedTime[] = [];
    let reads = 0;
    const read = () => (reads++ === 1 ? Promise.reject(new Error('away')) : Promise.resolve(reading));
    const following = await followSharedTime(
      { steadyMs: () => 0, compare: (shared) => void compared.push(shared) },
      read,
    );
    expect(compared).toEqual([reading]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([reads, compared.length]).toEqual([2, 1]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([reads, compared.length]).toEqual([3, 2]);
    following.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reads).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});
