// When calls begin: a few at once, the others in turn, and no account at the cost of another.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Accounts } from '../../src/limits/accounts.ts';
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

/** Uses up the turn, so that what comes next waits. */
function fillTurn(): void {
  scheduler.enter(new Account(0), { weight: 1, bytes: 0 }, () => {
    time += 5;
    return true;
  });
}

describe('H17: the scheduler of calls', () => {
  test('begins calls at once for 2 ms of a turn; the next turn begins anew', async () => {
    const account = new Account(0);
    const begun: number[] = [];
    const enter = (call: number, cost: number) =>
      scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
        begun.push(call);
        time += cost;
        return true;
      });
    enter(1, 2);
    enter(2, 0.1);
    enter(3, 0);
    expect(begun).toEqual([1, 2]);
    await nextTurn();
    enter(4, 0);
    expect(begun).toEqual([1, 2, 3, 4]);
  });

  test('what waits begins in order, as many in a turn as fit into it, and others are served between', async () => {
    const account = new Account(0);
    const happened: string[] = [];
    fillTurn();
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
        happened.push(name);
        time += 1;
        return true;
      });
    }
    expect(scheduler.waiting).toBe(5);
    await nextTurn();
    expect(happened).toEqual(['a', 'b', 'c']);
    happened.push('another call is read and rejected');
    await nextTurn();
    expect(happened).toEqual(['a', 'b', 'c', 'another call is read and rejected', 'd', 'e']);
  });

  test('calls that compute longer than foreseen: fewer begin in a turn, and more again when they compute less', async () => {
    const account = new Account(0);
    // What a call computes after its first wait is not in `begin`: the clock moves later in the turn.
    let each = 0;
    let begun = 0;
    let rest = 0;
    const enter = () =>
      scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
        begun++;
        queueMicrotask(() => {
          time += each;
          scheduler.ended(account);
          if (rest-- > 0) enter();
        });
        return true;
      });
    const perTurn = async (ms: number) => {
      each = ms;
      rest = 1_000_000;
      for (let turn = 0; turn < 40; turn++) await nextTurn();
      const before = begun;
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      return (begun - before) / 20;
    };
    for (let call = 0; call < 200; call++) enter();
    expect(await perTurn(0.1)).toBeCloseTo(20, -0.5);
    expect(await perTurn(0.04)).toBeCloseTo(50, -1);
    expect(await perTurn(1), 'at least what 0.2 ms each would let begin').toBeLessThanOrEqual(10);
    rest = 0;
    while (scheduler.waiting > 0) await nextTurn();
  });

  test('a long queue is served to its end, over many turns', async () => {
    const account = new Account(0);
    fillTurn();
    let done = 0;
    for (let call = 0; call < 10_000; call++) {
      scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
        time += 0.01;
        done++;
        scheduler.ended(account);
        return true;
      });
    }
    let turns = 0;
    for (; done < 10_000; turns++) await nextTurn();
    expect(turns).toBeGreaterThanOrEqual(19);
  });

  test('an account with little to do is next, however much another has queued', async () => {
    const [heavy, light] = [new Account(0), new Account(0)];
    const begun: string[] = [];
    const enter = (account: Account, name: string) =>
      scheduler.enter(account, { weight: 1, bytes: 100 }, () => {
        begun.push(name);
        time += 1;
        scheduler.ended(account);
        return true;
      });
    fillTurn();
    for (let call = 0; call < 1_000; call++) enter(heavy, 'heavy');
    await nextTurn();
    enter(light, 'light');
    await nextTurn();
    expect(begun.slice(3, 6)).toContain('light');
    // What still waits would move the clock of the tests after this one.
    while (scheduler.waiting > 0) await nextTurn();
  });

  test('a call that has ended while it waited is passed over and keeps no place', async () => {
    const account = new Account(0);
    fillTurn();
    for (let call = 0; call < 10_000; call++) scheduler.enter(account, { weight: 1, bytes: 0 }, () => false);
    await nextTurn();
    await nextTurn();
    expect([scheduler.waiting, account.begunCalls]).toEqual([0, 0]);
  });

  test('one account has 256 calls begun at most, and another begins all the same', async () => {
    const [slow, other] = [new Account(0), new Account(0)];
    let begun = 0;
    for (let call = 0; call < 300; call++) {
      scheduler.enter(slow, { weight: 1, bytes: 0 }, () => {
        begun++;
        return true;
      });
    }
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(begun).toBe(256);
    let isBegun = false;
    scheduler.enter(other, { weight: 1, bytes: 0 }, () => {
      isBegun = true;
      return true;
    });
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(isBegun).toBe(true);
    expect(scheduler.waiting).toBe(44);
    for (let ended = 0; ended < 44; ended++) scheduler.ended(slow);
    for (let turn = 0; turn < 6; turn++) await nextTurn();
    expect([begun, scheduler.waiting]).toEqual([300, 0]);
  });

  test('512 calls have begun at most; each that ends lets the next one begin', async () => {
    let begun = 0;
    const accounts = Array.from({ length: 6 }, () => new Account(0));
    for (let call = 0; call < 600; call++) {
      const account = accounts[call % 6]!;
      scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
        begun++;
        return true;
      });
    }
    for (let turn = 0; turn < 40; turn++) await nextTurn();
    expect(begun).toBe(512);
    scheduler.ended(accounts[0]!);
    const light = new Account(0);
    let isBegun = false;
    scheduler.enter(light, { weight: 1, bytes: 0 }, () => {
      isBegun = true;
      return true;
    });
    await nextTurn();
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(isBegun, 'an account with none').toBe(true);
    scheduler.ended(accounts[1]!);
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(begun).toBe(513);
  });

  test('a small call does not wait for a large one of each of a hundred accounts', async () => {
    const order: string[] = [];
    fillTurn();
    for (let one = 0; one < 100; one++) {
      const heavy = new Account(0);
      for (let call = 0; call < 10; call++) {
        scheduler.enter(heavy, { weight: 50, bytes: 0 }, () => {
          order.push('large');
          time += 5;
          return true;
        });
      }
    }
    const light = new Account(0);
    for (let round = 0; round < 5; round++) {
      for (let turn = 0; turn < 10; turn++) await nextTurn();
      const before = order.length;
      scheduler.enter(light, { weight: 1, bytes: 0 }, () => {
        order.push('small');
        return true;
      });
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      expect(order.slice(before, before + 2)).toContain('small');
    }
  });

  test('H17: a caller at its address does not wait for large calls of each of a hundred connections of another', async () => {
    const accounts = new Accounts(() => 0);
    const order: string[] = [];
    fillTurn();
    for (let one = 0; one < 100; one++) {
      const flood = accounts.ofConnection({ remoteAddress: '192.0.2.1' });
      flood.callOpened();
      for (let call = 0; call < 10; call++) {
        scheduler.enter(flood, { weight: 50, bytes: 0 }, () => {
          order.push('large');
          time += 5;
          queueMicrotask(() => scheduler.ended(flood, { weight: 50, bytes: 0 }));
          return true;
        });
      }
    }
    const light = accounts.ofConnection({ remoteAddress: '192.0.2.2' });
    const waited: number[] = [];
    // Its fair share among a hundred connections would be less than that.
    for (let round = 0; round < 200; round++) {
      const before = order.length;
      let isBegun = false;
      scheduler.enter(light, { weight: 1, bytes: 0 }, () => (isBegun = true));
      while (!isBegun) await nextTurn();
      scheduler.ended(light);
      waited.push(order.length - before);
    }
    while (scheduler.waiting > 0) await nextTurn();
    expect(Math.max(...waited), 'as many as may have begun').toBeLessThanOrEqual(8);
  });

  describe('H49: a caller beside 5,000 names of another network, of which 1,000 have a call that waits', () => {
    let enter: (name: string, remoteAddress: string, begun: () => void) => void;
    let floods: number;
    let onFlood: () => void;
    let stop: () => void;

    beforeEach(() => {
      let isOver = false;
      stop = () => {
        isOver = true;
      };
      const accounts = new Accounts(() => 0);
      floods = 0;
      onFlood = () => {};
      fillTurn();
      enter = (name, remoteAddress, begun) => {
        const account = accounts.ofCaller(name, { remoteAddress });
        account.callOpened();
        scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
          time += 0.1;
          begun();
          queueMicrotask(() => {
            account.callEnded();
            scheduler.ended(account);
          });
          return true;
        });
      };
      let next = 0;
      const flood = () => {
        if (isOver) return;
        floods++;
        onFlood();
        enter(`flood ${next++ % 5_000}`, '192.0.2.1', flood);
      };
      for (let call = 0; call < 1_000; call++) enter(`flood ${next++}`, '192.0.2.1', flood);
    });

    afterEach(() => stop());

    /** Makes a call of the caller. `begun` gets how many calls of the flood have begun before it. */
    function callOf(begun: (waited: number) => void): void {
      const before = floods;
      enter('caller', '192.0.2.2', () => begun(floods - before));
    }

    test('does not wait for all that wait, however often it calls', async () => {
      const waited: number[] = [];
      for (let call = 0; call < 500; call++) {
        callOf((floods) => waited.push(floods));
        while (waited.length === call) await nextTurn();
      }
      expect(Math.max(...waited), 'of 1,000 that wait').toBeLessThan(300);
    });

    test('does not wait for them at all while it makes less than a seventeenth of the calls, though no name comes back soon', async () => {
      const waited: number[] = [];
      onFlood = () => {
        if (floods % 20 === 0) callOf((floods) => waited.push(floods));
      };
      while (floods < 40_000) await nextTurn();
      expect(Math.max(...waited), 'a turn begins 30').toBeLessThanOrEqual(30);
    });
  });

  test('H49: where many callers of one network divide its shares, one with few calls does not wait for what the others have queued', async () => {
    const accounts = new Accounts(() => 0);
    const behindProxy = (name: string) => accounts.ofCaller(name, { remoteAddress: '192.0.2.1' });
    const waited: number[] = [];
    let begun = 0;
    fillTurn();
    const enter = (account: Account, onBegun: () => void) => {
      account.callOpened();
      scheduler.enter(account, { weight: 1, bytes: 0 }, () => {
        time += 0.1;
        onBegun();
        queueMicrotask(() => {
          account.callEnded();
          scheduler.ended(account);
        });
        return true;
      });
    };
    const again = (account: Account) => {
      begun++;
      if (begun >= 5_000) return;
      if (begun % 60 === 0) {
        const before = begun;
        enter(behindProxy('light'), () => waited.push(begun - before));
      }
      enter(account, () => again(account));
    };
    for (let one = 0; one < 30; one++) {
      for (let call = 0; call < 40; call++)
        enter(behindProxy(`heavy ${one}`), () => again(behindProxy(`heavy ${one}`)));
    }
    while (scheduler.waiting > 0) await nextTurn();
    expect(Math.max(...waited), 'two of each of 30, and a turn').toBeLessThanOrEqual(90);
  });

  test('H17: a network gains nothing by a new connection for each call', async () => {
    const kept = await shareOf(false);
    expect(kept).toBeCloseTo(0.1, 2);
    time = 0;
    scheduler = new CallScheduler(() => time);
    expect(await shareOf(true)).toBeLessThan(0.15);
  });
});

/** Share of the work that one network gets beside nine busy ones: on a kept connection, or on a new one for each call. */
async function shareOf(isNew: boolean): Promise<number> {
  const accounts = new Accounts(() => time);
  let own = 0;
  let all = 0;
  let waits = false;
  const enter = (account: Account, bytes: number, isOwn: boolean) => {
    account.callOpened();
    const cost = 1 + bytes / 1024;
    scheduler.enter(account, { weight: 1, bytes }, () => {
      time += cost * 0.1;
      all += cost;
      if (isOwn) {
        own += cost;
        waits = false;
      }
      queueMicrotask(() => {
        account.callEnded();
        scheduler.ended(account);
        if (!isOwn || !isNew) enter(account, bytes, isOwn);
      });
      return true;
    });
  };
  for (let nth = 0; nth < 9; nth++) {
    const honest = accounts.ofConnection({ remoteAddress: `192.0.2.${nth + 1}` });
    for (let call = 0; call < 40; call++) enter(honest, 0, false);
  }
  const kept = accounts.ofConnection({ remoteAddress: '198.51.100.1' });
  if (!isNew) for (let call = 0; call < 40; call++) enter(kept, 0, true);
  for (let turn = 0; turn < 2_000; turn++) {
    // The next one comes when the one before has begun.
    if (isNew && !waits) {
      waits = true;
      enter(accounts.ofConnection({ remoteAddress: '198.51.100.1' }), 18 * 1024, true);
    }
    await nextTurn();
  }
  return own / all;
}
