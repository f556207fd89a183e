// When heavy calls begin: few at once, and never at the cost of light ones.

import { beforeEach, describe, expect, test } from 'vitest';
import { CallScheduler } from '../../src/limits/call-scheduler.ts';
import { Account } from '../../src/limits/index.ts';

/** A clock that stands until work moves it. */
let time: number;
let scheduler: CallScheduler;

beforeEach(() => {
  time = 0;
  scheduler = new CallScheduler(() => time);
});

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}
const yes = () => true;
const HEAVY = { weight: 50, bytes: 0 };

describe('the scheduler of heavy calls', () => {
  test('H38: heavy calls: 8 begin, 4 of one account; light ones pass those that wait, and one of each account is next in turn', async () => {
    const begun: string[] = [];
    const [many, more, few] = [new Account(0), new Account(0), new Account(0)];
    const enter = async (account: Account, name: string, weight = 50) => {
      scheduler.enter(account, { weight, bytes: 0 }, () => begun.push(name) > 0);
      for (let turn = 0; turn < 3; turn++) await nextTurn();
    };
    for (let call = 0; call < 6; call++) await enter(many, `many ${call}`);
    expect(begun).toEqual(['many 0', 'many 1', 'many 2', 'many 3']);
    for (let call = 0; call < 6; call++) await enter(more, `more ${call}`);
    await enter(few, 'few');
    await enter(few, 'small', 1);
    expect(begun.slice(4)).toEqual(['more 0', 'more 1', 'more 2', 'more 3', 'small']);
    expect(scheduler.waiting).toBe(5);
    for (const ended of [many, more, many, more]) {
      scheduler.ended(ended, HEAVY);
      for (let turn = 0; turn < 3; turn++) await nextTurn();
    }
    expect(begun.slice(9)).toEqual(['many 4', 'more 4', 'few', 'many 5']);
    expect([many.heavyPlaces, more.heavyPlaces, few.heavyPlaces]).toEqual([4, 3, 1]);
  });

  test('H38: heavy calls that waited for others of their kind to end never go before small ones', async () => {
    const [heavy, light] = [new Account(0), new Account(0)];
    const begunHeavy: (() => void)[] = [];
    for (let call = 0; call < 300; call++) {
      scheduler.enter(heavy, HEAVY, () => begunHeavy.push(() => scheduler.ended(heavy, HEAVY)) > 0);
    }
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    const waitedTurns: number[] = [];
    for (let call = 0; call < 100; call++) {
      let [isBegun, turns] = [false, 0];
      scheduler.enter(light, { weight: 1, bytes: 0 }, () => (isBegun = true));
      for (; !isBegun && turns < 50; turns++) {
        begunHeavy.shift()?.();
        await nextTurn();
      }
      scheduler.ended(light);
      waitedTurns.push(turns);
    }
    expect(Math.max(...waitedTurns)).toBeLessThanOrEqual(2);
  });

  test('H17: a call parked behind cancelled ones begins when all that had begun have ended', async () => {
    const account = new Account(0);
    for (let i = 0; i < 256; i++) {
      scheduler.enter(account, { weight: 1, bytes: 0 }, yes);
      if (i % 30 === 29) await nextTurn();
    }
    await turns(20);
    expect(account.begunCalls).toBe(256);
    for (let i = 0; i < 300; i++) scheduler.enter(account, { weight: 1, bytes: 0 }, () => false);
    let begun = false;
    scheduler.enter(account, { weight: 1, bytes: 0 }, () => (begun = true));
    await turns(20);
    for (let i = 0; i < 256; i++) scheduler.ended(account);
    await turns(200);
    expect(account.begunCalls).toBe(begun ? 1 : 0);
    expect(begun).toBe(true);
  });

  test('H38: heavy calls that wait begin when no heavy call runs any more, whatever an account with 256 begun has parked', async () => {
    const [x, a, b, honest] = [new Account(0), new Account(0), new Account(0), new Account(0)];
    for (const account of [a, b]) {
      for (let i = 0; i < 4; i++) {
        scheduler.enter(account, HEAVY, yes);
        await turns(3);
      }
    }
    expect([a.heavyPlaces, b.heavyPlaces]).toEqual([4, 4]);
    for (let i = 0; i < 20; i++) scheduler.enter(x, HEAVY, yes);
    let begun = 0;
    for (let i = 0; i < 20; i++) {
      scheduler.enter(honest, HEAVY, () => {
        begun++;
        return true;
      });
    }
    await turns(20);
    for (let i = 0; x.begunCalls < 256 && i < 1000; i++) {
      scheduler.enter(x, { weight: 1, bytes: 0 }, yes);
      await nextTurn();
    }
    expect(x.begunCalls).toBe(256);
    // Every heavy call that runs ends, one after the other, as long as there is any.
    for (let i = 0; i < 200; i++) {
      const running = [a, b, honest, x].find(({ heavyPlaces }) => heavyPlaces > 0);
      if (running === undefined) break;
      scheduler.ended(running, HEAVY);
      await turns(3);
    }
    await turns(50);
    expect(
      [a, b, honest, x].map(({ heavyPlaces }) => heavyPlaces),
      'nobody is at work',
    ).toEqual([0, 0, 0, 0]);
    expect(begun).toBe(20);
  });

  test('H22: a request takes a place for each half MiB, since its message takes many times as much memory', async () => {
    const begun: string[] = [];
    const accounts = { a: new Account(0), b: new Account(0), c: new Account(0) };
    const large = { weight: 2, bytes: 2 * 2 ** 20 };
    for (const [name, account] of Object.entries(accounts)) {
      for (let call = 0; call < 2; call++) {
        scheduler.enter(account, large, () => begun.push(name) > 0);
        await turns(3);
      }
    }
    expect(begun, 'one of 2 MiB of each account, and two in all').toEqual(['a', 'b']);
    for (const account of [accounts.a, accounts.b, accounts.a, accounts.c]) {
      scheduler.ended(account, large);
      await turns(3);
    }
    expect(begun.slice(2), 'those that wait, one of each account in turn').toEqual(['a', 'b', 'c', 'c']);
    for (const account of [accounts.b, accounts.c]) scheduler.ended(account, large);
    for (let call = 0; call < 6; call++) scheduler.enter(accounts.a, { weight: 2, bytes: 2 ** 19 }, yes);
    await turns(20);
    expect(accounts.a.begunCalls, 'four of half a MiB of one account').toBe(4);
  });

  test('H22: requests of 2 MiB of one account begin in their order, so that none waits for ever', async () => {
    const account = new Account(0);
    const large = { weight: 2, bytes: 2 * 2 ** 20 };
    const begun: number[] = [];
    const enter = (call: number) => scheduler.enter(account, large, () => begun.push(call) > 0);
    // Ten wait. Each that ends is followed by a further one.
    for (let call = 0; call < 11; call++) enter(call);
    for (let call = 11; call < 31; call++) {
      await turns(3);
      scheduler.ended(account, large);
      enter(call);
    }
    await turns(3);
    expect(begun).toEqual([...Array(21).keys()]);
  });

  test('H38: the places of a large request are for all accounts that wait', async () => {
    const accounts = [new Account(0), new Account(0), new Account(0), new Account(0)] as const;
    const [large, a, b, c] = accounts;
    for (const account of [large, a]) scheduler.enter(account, { weight: 2, bytes: 2 * 2 ** 20 }, yes);
    await turns(3);
    for (const account of [a, b, b, c]) scheduler.enter(account, HEAVY, yes);
    await turns(3);
    expect(accounts.map(({ begunCalls }) => begunCalls)).toEqual([1, 1, 0, 0]);
    scheduler.ended(large, { weight: 2, bytes: 2 * 2 ** 20 });
    await turns(5);
    expect(
      accounts.map(({ begunCalls }) => begunCalls),
      'a has its four places',
    ).toEqual([0, 1, 2, 1]);
    scheduler.ended(a, { weight: 2, bytes: 2 * 2 ** 20 });
    await turns(5);
    expect(a.begunCalls).toBe(1);
  });

  test('H38: a call whose place others take before its turn stays the next of its account', async () => {
    const [a, b, c, d] = [new Account(0), new Account(0), new Account(0), new Account(0)];
    const begun: string[] = [];
    const enter = (account: Account, name: string) => scheduler.enter(account, HEAVY, () => begun.push(name) > 0);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) enter(a, name);
    await turns(10);
    for (const name of ['b1', 'b2', 'b3']) enter(b, name);
    await turns(10);
    // One place is free, and that of a1: a5 is woken. But a has had more than its share, so c and d go before it.
    a.virtualFinish += 1_000;
    scheduler.ended(a, HEAVY);
    enter(c, 'c1');
    enter(d, 'd1');
    await turns(10);
    expect(begun.slice(4)).toEqual(['b1', 'b2', 'b3', 'c1', 'd1']);
    for (const account of [a, a]) {
      scheduler.ended(account, HEAVY);
      await turns(10);
    }
    expect(begun.slice(9)).toEqual(['a5', 'a6']);
  });
});
