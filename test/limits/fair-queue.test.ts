import { queryObjects } from 'node:v8';
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

  test('what was served is kept no longer, also while its flow always wants more', () => {
    class Work {}
    const queue = new FairQueue<Work>();
    const busy = flow();
    queue.push(busy, 1, new Work());
    for (let served = 0; served < 100; served++) {
      queue.push(busy, 1, new Work());
      if (served % 10 === 9) queue.withdraw();
      else queue.pop();
      queue.push(busy, 1, new Work());
    }
    expect(queue.size).toBe(101);
    // It collects garbage first.
    expect(queryObjects(Work, { format: 'count' })).toBe(101);
  });

  test('work that is withdrawn costs its flow nothing, and moves nobody else', () => {
    const queue = new FairQueue<string>();
    const [one, other] = [flow(), flow()];
    for (let item = 0; item < 5; item++) queue.push(one, 50, `withdrawn ${item}`);
    for (let item = 0; item < 5; item++) expect(queue.withdraw()).toBe(`withdrawn ${item}`);
    expect([queue.withdraw(), queue.size, one.virtualFinish]).toEqual([undefined, 0, 0]);
    queue.push(other, 60, 'other');
    queue.push(one, 50, 'one');
    expect(drain(queue)).toEqual(['one', 'other']);
  });

  test('work that did not wait is charged where others wait', () => {
    const queue = new FairQueue<string>();
    const [busy, idle, third] = [flow(), flow(), flow()];
    queue.push(third, 1, 'third');
    queue.charge(busy, 100);
    queue.push(busy, 1, 'busy');
    queue.push(idle, 1, 'idle');
    expect(drain(queue)).toEqual(['third', 'idle', 'busy']);
  });

  test('H17: a flow that was served for long without waiting flows owes nothing to new flows', () => {
    const queue = new FairQueue<string>();
    const honest = flow();
    for (let call = 0; call < 10_000; call++) queue.charge(honest, 1);
    for (let fresh = 0; fresh < 100; fresh++) queue.push(flow(), 1, 'flood');
    for (let fresh = 0; fresh < 10; fresh++) queue.pop();
    queue.push(honest, 1, 'honest');
    for (let fresh = 0; fresh < 100; fresh++) queue.push(flow(), 1, 'flood');
    expect(drain(queue).indexOf('honest')).toBeLessThanOrEqual(90);
  });

  test('a flow that was quiet goes before those that always want more, until its credit is used up', () => {
    const queue = new FairQueue<string>(10);
    const [quiet, greedy] = [flow(), [flow(), flow(), flow()]];
    for (const one of greedy) for (let call = 0; call < 100; call++) queue.push(one, 1, 'greedy');
    for (let call = 0; call < 90; call++) queue.pop();
    for (let call = 0; call < 100; call++) queue.push(quiet, 1, 'quiet');
    const order = Array.from({ length: 40 }, () => queue.pop());
    expect(order.slice(0, 9)).toEqual(Array(9).fill('quiet'));
    expect(order.slice(12).filter((name) => name === 'quiet').length).toBeLessThanOrEqual(8);
  });

  test('while no flow waits all have equal credit: a flow that was served alone is not behind new flows', () => {
    const queue = new FairQueue<string>(10);
    const alone = flow();
    for (let call = 0; call < 1_000; call++) queue.charge(alone, 1);
    for (let fresh = 0; fresh < 5; fresh++) queue.push(flow(), 2, 'fresh');
    queue.push(alone, 1, 'alone');
    expect(queue.pop()).toBe('alone');
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
