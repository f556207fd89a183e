import { describe, expect, test } from 'vitest';
import { EctError } from '../../src/errors.ts';
import { WriteQuota } from '../../src/limits/write-quota.ts';

const HOUR_MS = 3_600_000;

/** A quota of 3,600 bytes an hour, one a second, under a clock that stands until it is moved. */
function makeQuota(maxCallers = 4) {
  let nowMs = 0;
  const quota = new WriteQuota({ bytesPerHour: 3600, nowMs: () => nowMs, maxCallers });
  const rejection = (run: () => void) => {
    try {
      run();
      return undefined;
    } catch (error) {
      if (error instanceof EctError) return error;
      throw error;
    }
  };
  return {
    quota,
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
    take: (caller: string, bytes: number) => rejection(() => quota.take(caller, bytes)),
    demand: (caller: string, bytes: number) => rejection(() => quota.demand(caller, bytes)),
  };
}

describe('H27: what a caller may have written', () => {
  test('is a burst of an hour’s worth, and then the rate', () => {
    const { take, pass } = makeQuota();
    expect(take('a', 3600)).toBeUndefined();
    expect(take('a', 1)?.reason).toBe('QUOTA_EXCEEDED');
    pass(10);
    expect(take('a', 11)?.reason).toBe('QUOTA_EXCEEDED');
    expect(take('a', 10)).toBeUndefined();
    pass(10 * 3600);
    expect(take('a', 3601)?.reason).toBe('QUOTA_EXCEEDED');
    expect(take('a', 3600)).toBeUndefined();
  });

  test('is rejected with the time after which the same fits, to the second', () => {
    const { take, demand, pass } = makeQuota();
    take('a', 3600);
    const facts = { limit: '3600', retry_after_seconds: '100', quota: 'written_bytes_per_hour' };
    expect(demand('a', 100)?.metadata).toEqual(facts);
    pass(99);
    expect(demand('a', 100)?.metadata).toMatchObject({ retry_after_seconds: '1' });
    pass(1);
    expect(demand('a', 100)).toBeUndefined();
    expect(take('a', 100)).toBeUndefined();
  });

  test('is of each caller by itself', () => {
    const { take } = makeQuota();
    take('a', 3600);
    expect(take('b', 3600)).toBeUndefined();
  });

  test('is not used up by a check, by a rejection, or by bytes that are refunded', () => {
    const { quota, take, demand } = makeQuota();
    expect(demand('a', 3600)).toBeUndefined();
    expect(take('a', 4000)?.reason).toBe('QUOTA_EXCEEDED');
    take('a', 3600);
    quota.refund('a', 3600);
    expect(take('a', 3600)).toBeUndefined();
    quota.refund('a', 3600);
    quota.refund('a', 3600);
    expect(take('a', 3601)?.reason).toBe('QUOTA_EXCEEDED');
  });
});

describe('H27: the number of buckets is bounded, and none is given out anew', () => {
  test('a caller does not get rid of its bucket by pushing it out with other names', () => {
    const { quota, take } = makeQuota();
    take('abuser', 3600);
    for (let name = 0; name < 1000; name++) take(`other ${name}`, 10);
    expect(quota.state().callers).toBe(4);
    expect(take('abuser', 1)?.reason).toBe('QUOTA_EXCEEDED');
  });

  test('a thousand names have no more than the buckets that there are, and the one that they share', () => {
    const { take } = makeQuota();
    let written = 0;
    for (let round = 0; round < 50; round++) {
      for (let name = 0; name < 1000; name++) if (take(`name ${name}`, 100) === undefined) written += 100;
    }
    expect(written).toBe(5 * 3600);
  });

  test('a bucket that is full again makes room; the newcomer begins with no more than the shared one has', () => {
    const { quota, take, pass } = makeQuota(2);
    take('a', 1);
    take('b', 3600);
    take('c', 3000); // From the shared one.
    pass(10);
    take('d', 1); // In the place of a.
    expect(quota.state().callers).toBe(2);
    expect(take('d', 610)?.reason).toBe('QUOTA_EXCEEDED');
    expect(take('d', 609)).toBeUndefined();
    // c, who drew from the shared one, is no better off by now.
    expect(take('c', 611)?.reason).toBe('QUOTA_EXCEEDED');
  });

  test('says how many callers there are, and how far the busiest has got', () => {
    const { quota, take, pass } = makeQuota();
    expect(quota.state()).toEqual({ callers: 0, used: 0 });
    take('a', 900);
    take('b', 1800);
    expect(quota.state()).toEqual({ callers: 2, used: 0.5 });
    pass(HOUR_MS / 1000);
    expect(quota.state()).toEqual({ callers: 2, used: 0 });
  });
});
