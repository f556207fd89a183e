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

  test('a thousand names have no more than the buckets that there are', () => {
    const { take } = makeQuota();
    let written = 0;
    for (let round = 0; round < 50; round++) {
      for (let name = 0; name < 1000; name++) if (take(`name ${name}`, 100) === undefined) written += 100;
    }
    expect(written).toBe(4 * 3600);
  });

  test('a newcomer takes over the fullest bucket, with what it has left', () => {
    const { quota, take, pass } = makeQuota(2);
    take('a', 1000);
    take('b', 3600);
    expect(take('c', 2601)?.reason).toBe('QUOTA_EXCEEDED');
    expect(take('c', 2600)).toBeUndefined();
    expect(quota.state().callers).toBe(2);
    pass(10);
    // The bucket of a is that of c by now, and that of b is as full.
    expect(take('a', 11)?.reason).toBe('QUOTA_EXCEEDED');
    expect(take('a', 10)).toBeUndefined();
  });

  test('a peer with many names must empty all buckets before a newcomer is rejected', () => {
    const { take } = makeQuota(100);
    for (let name = 0; name < 100; name++) take(`name ${name}`, 1);
    // More than a quota in all, by names that have no bucket.
    for (let name = 100; name < 400; name++) expect(take(`name ${name}`, 36)).toBeUndefined();
    expect(take('newcomer', 3400)).toBeUndefined();
    for (let name = 0; name < 400; name++) while (take(`name ${name}`, 100) === undefined);
    expect(take('another', 100)?.reason).toBe('QUOTA_EXCEEDED');
  });

  test('what was taken from a bucket is not given back to a caller that has lost it', () => {
    const { quota, take } = makeQuota(1);
    take('a', 3000);
    take('b', 100);
    quota.refund('a', 3000);
    expect(take('b', 501)?.reason).toBe('QUOTA_EXCEEDED');
    expect(take('b', 500)).toBeUndefined();
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
