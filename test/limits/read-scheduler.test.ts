// The order in which bytes are parsed: a few milliseconds in a turn, the light first, and every piece pays for what it causes.

import { beforeEach, describe, expect, test } from 'vitest';
import { Accounts } from '../../src/limits/accounts.ts';
import { createResources, DEFAULT_PROCESS_LIMITS } from '../../src/limits/index.ts';
import { ReadFlow, ReadScheduler } from '../../src/limits/read-scheduler.ts';

/** A clock that stands until work moves it. */
let time: number;
let reads: ReadScheduler;

beforeEach(() => {
  time = 0;
  reads = new ReadScheduler(() => time);
});

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Uses up the turn, so that what comes next waits. */
function fillTurn(): void {
  expect(reads.begin()).toBe(true);
  time += 4.1;
  expect(reads.mayContinue).toBe(false);
}

describe('H17: the order in which bytes are parsed', () => {
  test('a turn has 4 ms; waiting reads continue in the next turn, before new bytes', async () => {
    fillTurn();
    expect(reads.begin()).toBe(false);
    let parsed = 0;
    const flow = new ReadFlow();
    for (let chunk = 0; chunk < 3; chunk++) {
      reads.defer(flow, () => {
        parsed++;
        time += 2.5;
      });
    }
    await nextTurn();
    expect(parsed).toBe(2);
    expect(reads.begin()).toBe(false);
    await nextTurn();
    expect(parsed).toBe(3);
    await nextTurn();
    expect(reads.begin()).toBe(true);
  });

  test('bodies have 1 ms of a turn, beside the 4 ms of requests', async () => {
    const bodies = createResources(DEFAULT_PROCESS_LIMITS).bodies;
    let began = 0;
    const flow = new ReadFlow();
    const busy = () => {
      began++;
      const until = performance.now() + 1.1;
      while (performance.now() < until);
    };
    for (let body = 0; body < 3; body++) bodies.run(flow, busy);
    expect(began).toBe(1);
    await nextTurn();
    expect(began).toBe(2);
    await nextTurn();
    expect(began).toBe(3);
  });

  test('a slice ends after a millisecond, so that others are asked in the same turn', () => {
    expect(reads.begin()).toBe(true);
    time += 1;
    expect(reads.mayContinue).toBe(true);
    time += 0.1;
    expect(reads.mayContinue).toBe(false);
    reads.end(new ReadFlow());
    expect(reads.begin()).toBe(true);
    expect(reads.mayContinue).toBe(true);
  });

  test('a slice ends when what it has begun will compute for a millisecond; the next slice begins anew', () => {
    expect(reads.begin()).toBe(true);
    reads.addDeferredCost(0.6);
    expect(reads.mayContinue).toBe(true);
    reads.addDeferredCost(0.6);
    expect(reads.mayContinue).toBe(false);
    reads.end(new ReadFlow());
    expect(reads.begin()).toBe(true);
    expect(reads.mayContinue).toBe(true);
  });

  test('what a piece causes by promises is over before the next piece, and counts for the turn', async () => {
    const happened: string[] = [];
    fillTurn();
    for (const name of ['a', 'b', 'c']) {
      reads.defer(new ReadFlow(), () => {
        happened.push(name);
        void Promise.resolve()
          .then(() => undefined)
          .then(() => {
            happened.push(`effect of ${name}`);
            time += 2.5;
          });
      });
    }
    await nextTurn();
    expect(happened).toEqual(['a', 'effect of a', 'b', 'effect of b']);
    await nextTurn();
    expect(happened.slice(4)).toEqual(['c', 'effect of c']);
  });

  test('who took much time waits for those who took little, over however many connections it came', async () => {
    const accounts = new Accounts(() => 0);
    const names = ['spiffe://example.com/flood', 'spiffe://example.com/b'] as const;
    const [flood, honest] = [accounts.ofCaller(names[0], {}), accounts.ofCaller(names[1], {})];
    const order: string[] = [];
    fillTurn();
    for (let chunk = 0; chunk < 100; chunk++) {
      reads.defer(flood.reading, () => {
        order.push('flood');
        time += 1;
      });
    }
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    const before = order.length;
    reads.defer(honest.reading, () => void order.push('honest'));
    await nextTurn();
    expect(order.slice(before, before + 2)).toContain('honest');
  });

  test('small pieces do not wait for one large piece of each of a hundred connections', async () => {
    const honest = new ReadFlow();
    const floods = Array.from({ length: 100 }, () => new ReadFlow());
    const order: string[] = [];
    const call = () => {
      order.push('honest');
      time += 0.1;
    };
    const flood = (flow: ReadFlow) =>
      reads.defer(flow, () => {
        order.push('flood');
        time += 1.5;
        flood(flow);
      });
    for (let turn = 0; turn < 20; turn++) {
      reads.defer(honest, call);
      await nextTurn();
    }
    fillTurn();
    for (const flow of floods) flood(flow);
    for (let round = 0; round < 50; round++) {
      const before = order.length;
      reads.defer(honest, call);
      await nextTurn();
      expect(order[before], `round ${round}`).toBe('honest');
      for (let turn = 0; turn < 10; turn++) await nextTurn();
    }
  });

  test('work runs at once where there is time, and in turn where there is none', async () => {
    const flow = new ReadFlow();
    const done: string[] = [];
    reads.run(flow, () => void done.push('now'));
    fillTurn();
    reads.run(flow, () => void done.push('later'));
    expect(done).toEqual(['now']);
    await nextTurn();
    expect(done).toEqual(['now', 'later']);
  });

  test('work that is run inside of a piece is part of it, and is paid once', async () => {
    const [nested, plain] = [new ReadFlow(), new ReadFlow()];
    const order: ReadFlow[] = [];
    const work = () => void time++;
    const again = (flow: ReadFlow, run: () => void): void =>
      reads.defer(flow, () => {
        order.push(flow);
        run();
        if (order.length < 400) again(flow, run);
      });
    fillTurn();
    again(nested, () => reads.run(nested, work));
    again(plain, work);
    while (order.length < 400) await nextTurn();
    expect(Math.abs(order.filter((flow) => flow === nested).length - 200)).toBeLessThan(20);
  });

  test('a network gains nothing by a new connection for each piece', async () => {
    const accounts = new Accounts(() => 0);
    let [own, all] = [0, 0];
    const again = (flowOf: () => ReadFlow, ms: number, isOwn: boolean): void =>
      reads.defer(flowOf(), () => {
        time += ms;
        all += ms;
        if (isOwn) own += ms;
        if (all < 2_000) again(flowOf, ms, isOwn);
      });
    fillTurn();
    for (let nth = 1; nth < 10; nth++) {
      const { reading } = accounts.ofConnection({ remoteAddress: `192.0.2.${nth}` });
      for (let piece = 0; piece < 10; piece++) again(() => reading, 0.5, false);
    }
    again(() => accounts.ofConnection({ remoteAddress: '198.51.100.1' }).reading, 4, true);
    while (all < 2_000) await nextTurn();
    expect(own / all).toBeLessThan(0.15);
  });
});
