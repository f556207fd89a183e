import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue } from '../../src/limits/fair-queue.ts';

const flow = () => ({ virtualFinish: 0 });

function drain<T>(queue: FairQueue<T>): T[] {
  const items: T[] = [];
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) items.push(item);
  return items;
}

describe('start-time fair queueing', () => {
  test('one flow is served in the order in which its work came', () => {
    const queue = new FairQueue<number>();
    const only = flow();
    for (let item = 0; item < 100; item++) queue.push(only, 1 + (item % 7), item);
    expect(drain(queue)).toEqual(Array.from({ length: 100 }, (_, item) => item));
  });

  test('H17: a light flow goes before the backlog of a heavy one, whenever it comes', () => {
    const queue = new FairQueue<string>();
    const [heavy, light] = [flow(), flow()];
    for (let item = 0; item < 1_000; item++) queue.push(heavy, 1, 'heavy');
    for (let round = 0; round < 50; round++) {
      for (let served = 0; served < 10; served++) expect(queue.pop()).toBe('heavy');
      queue.push(light, 1, 'light');
      const next = [queue.pop(), queue.pop()];
      expect(next).toContain('light');
    }
  });

  test('flows with a backlog share by cost: large work counts for as much as it is', () => {
    const queue = new FairQueue<'small' | 'large'>();
    const [small, large] = [flow(), flow()];
    for (let item = 0; item < 100; item++) queue.push(small, 1, 'small');
    for (let item = 0; item < 100; item++) queue.push(large, 10, 'large');
    const first = Array.from({ length: 55 }, () => queue.pop());
    expect(first.filter((item) => item === 'large').length).toBeLessThanOrEqual(6);
  });

  test('work that did not wait is charged too', () => {
    const queue = new FairQueue<string>();
    const [busy, idle] = [flow(), flow()];
    queue.charge(busy, 100);
    queue.push(busy, 1, 'busy');
    queue.push(idle, 1, 'idle');
    expect(drain(queue)).toEqual(['idle', 'busy']);
  });

  test('nothing is lost and nothing is served twice, in any order of work', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ of: fc.nat(5), cost: fc.integer({ min: 0, max: 50 }), pops: fc.nat(2) })),
        (work) => {
          const queue = new FairQueue<number>();
          const flows = Array.from({ length: 6 }, flow);
          const served: number[] = [];
          for (const [item, { of, cost, pops }] of work.entries()) {
            queue.push(flows[of]!, cost, item);
            for (let pop = 0; pop < pops; pop++) {
              const next = queue.pop();
              if (next !== undefined) served.push(next);
            }
          }
          served.push(...drain(queue));
          expect(served.toSorted((a, b) => a - b)).toEqual(work.map((_, item) => item));
          for (let of = 0; of < 6; of++) {
            const own = served.filter((item) => work[item]!.of === of);
            expect(own).toEqual(own.toSorted((a, b) => a - b));
          }
        },
      ),
    );
  });
});
