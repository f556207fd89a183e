import { describe, expect, test } from 'vitest';
import type { Caller, Obligations } from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import { CallLimits } from '../../src/limits/index.ts';
import { workload } from '../support/callers.ts';

const caller = (name: string): Caller => workload(`spiffe://example.org/${name}`);
const [A, B] = [caller('a'), caller('b')];

/** Limits under a clock that stands until it is moved. */
function make(first: Obligations, maxCallers = 100) {
  let [nowMs, obligations] = [0, first];
  const limits = new CallLimits({ obligationsOf: () => obligations, nowMs: () => nowMs, maxCallers });
  const ends: (() => void)[] = [];
  return {
    limits,
    pass: (ms: number) => {
      nowMs += ms;
    },
    change: (next: Obligations) => {
      obligations = next;
    },
    /** What `enter` answers: `ok`, or the facts of the rejection. */
    enter: (of: Caller) => {
      const entered = limits.enter(of);
      if (entered instanceof EctError) return { ...entered.metadata, reason: entered.reason };
      if (entered !== undefined) ends.push(entered);
      return 'ok';
    },
    end: () => ends.shift()?.(),
  };
}

describe('H27 how many calls a caller may make', () => {
  test('a burst, and then the rate; the rejection says when to come back', () => {
    const { enter, pass } = make({ callsPerSecond: 2, burst: 3 });
    expect([enter(A), enter(A), enter(A)]).toEqual(['ok', 'ok', 'ok']);
    expect(enter(A)).toEqual({
      reason: 'QUOTA_EXCEEDED',
      quota: 'calls_per_second',
      limit: '2',
      retry_after_seconds: '1',
    });
    pass(500);
    expect(enter(A)).toBe('ok');
    expect(enter(A)).not.toBe('ok');
  });

  test('one caller uses nothing of another', () => {
    const { enter } = make({ callsPerSecond: 1 });
    expect([enter(A), enter(B)]).toEqual(['ok', 'ok']);
    expect(enter(A)).not.toBe('ok');
  });

  test('so many at once; one that ends makes room', () => {
    const { enter, end } = make({ concurrentCalls: 2 });
    expect([enter(A), enter(A)]).toEqual(['ok', 'ok']);
    expect(enter(A)).toMatchObject({ quota: 'concurrent_calls', limit: '2' });
    end();
    expect(enter(A)).toBe('ok');
  });

  test('a batch counts as its items: what follows waits for them', () => {
    const { enter, limits, pass } = make({ callsPerSecond: 10, burst: 10 });
    expect(enter(A)).toBe('ok');
    limits.charge(A, 99);
    expect(enter(A)).toMatchObject({ retry_after_seconds: '10' });
    pass(9_000);
    expect(enter(A)).toMatchObject({ retry_after_seconds: '1' });
    pass(100);
    expect(enter(A)).toBe('ok');
  });

  test('no limits, no counting', () => {
    const { limits } = make({});
    expect(limits.enter(A)).toBeUndefined();
  });

  test('limits that the operator changes count at once, also for calls that began before', () => {
    const { enter, change, end } = make({ concurrentCalls: 3 });
    expect([enter(A), enter(A)]).toEqual(['ok', 'ok']);
    change({ concurrentCalls: 2 });
    expect(enter(A)).toMatchObject({ limit: '2' });
    end();
    end();
    expect([enter(A), enter(A)]).toEqual(['ok', 'ok']);
    expect(enter(A)).toMatchObject({ limit: '2' });
  });

  test('a caller does not begin anew by some other names', () => {
    const { enter } = make({ callsPerSecond: 1, burst: 2 }, 3);
    expect([enter(A), enter(A), enter(B), enter(caller('c'))]).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(enter(A)).not.toBe('ok');
  });

  test('a peer with more names than are counted takes nothing from a newcomer', () => {
    const { enter, end } = make({ callsPerSecond: 1, burst: 2 }, 2);
    for (let name = 0; name < 10; name++) {
      for (let call = 0; call < 3; call++) enter(caller(`name ${name}`));
      end();
      end();
    }
    expect([enter(A), enter(A)]).toEqual(['ok', 'ok']);
    expect(enter(A)).not.toBe('ok');
  });

  test('open calls stay counted, however many names call', () => {
    const { enter, end } = make({ concurrentCalls: 1 }, 2);
    expect(enter(A)).toBe('ok');
    for (let name = 0; name < 10; name++) enter(caller(`name ${name}`));
    expect(enter(A)).toMatchObject({ quota: 'concurrent_calls' });
    end();
    expect(enter(A)).toBe('ok');
  });
});
