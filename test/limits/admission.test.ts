import { beforeEach, describe, expect, test } from 'vitest';
import { Accounts } from '../../src/limits/accounts.ts';
import { createAdmission } from '../../src/limits/admission.ts';
import { Account, type Admission } from '../../src/limits/index.ts';

/** A clock that stands until it is moved, and the share of its time that the process computed in. */
let time: number;
let busy: number;
let admission: Admission;
let account: Account;

beforeEach(() => {
  time = 0;
  busy = 0.5;
  account = new Account(0);
  admission = createAdmission({ now: () => time, busyShare: () => busy });
});

function begin(calls: number): void {
  for (let call = 0; call < calls; call++) admission.begun(account);
}

/** Answers calls at a steady speed, one a millisecond times `speed`. */
function answer(calls: number, speed: number): void {
  for (let call = 0; call < calls; call++) {
    time += 1 / speed;
    admission.ended(account);
  }
}

describe('H17: the queue', () => {
  test('admits a burst while nothing is known of the speed, up to a bound', () => {
    begin(4095);
    expect(admission.admits(account, 10)).toBe(true);
    begin(1);
    expect(admission.admits(account, 60_000)).toBe(false);
    const another = new Account(0);
    expect(admission.admits(another, 60_000)).toBe(true);
    for (let call = 0; call < 4096; call++) admission.begun(another);
    expect(admission.admits(another, 60_000)).toBe(false);
    expect(admission.admits(new Account(0), 60_000), 'an account without calls').toBe(true);
  });

  test('rejects a call that would wait for more than half of its deadline', () => {
    begin(2000);
    answer(1000, 1); // one answer a millisecond
    begin(200);
    expect(admission.admits(account, 2400)).toBe(false); // 1,200 calls are 1.2 s: more than any call may wait
    answer(200, 1);
    expect(admission.admits(account, 2000)).toBe(true);
    expect(admission.admits(account, 1999)).toBe(false);
  });

  test('is none where few calls are open, however slow they are', () => {
    begin(320);
    answer(1, 0.001);
    expect(admission.admits(account, 10)).toBe(true);
  });

  test('is measured anew after a pause: an idle hour is not slowness', () => {
    begin(1);
    time += 3_600_000;
    admission.ended(account);
    begin(1000);
    expect(admission.admits(account, 1000)).toBe(true);
  });

  test('is short where the process has been busy without pause: 60 ms, whatever the deadline', () => {
    begin(3000);
    busy = 0.95;
    answer(250, 1); // the second window of 100 ms has ended
    begin(250);
    expect(admission.admits(account, 60_000)).toBe(false);
    answer(2670, 10);
    expect(admission.admits(account, 60_000)).toBe(true); // 330 calls at some 5.5 a millisecond
    begin(330);
    expect(admission.admits(account, 60_000)).toBe(false);
  });

  test('is that of a burst again as soon as the process finds a pause', () => {
    begin(2000);
    busy = 0.95;
    answer(300, 1);
    expect(admission.admits(account, 60_000)).toBe(false);
    busy = 0.5;
    answer(800, 1);
    expect(admission.admits(account, 60_000)).toBe(true); // 900 calls, one a millisecond
  });
});

describe('H17: fairness', () => {
  /** An overload that `account` alone has made: 1,000 calls, one answer a millisecond, without a pause. */
  function overload(): void {
    begin(1_300);
    busy = 0.95;
    answer(300, 1);
    expect(admission.admits(account, 60_000)).toBe(false);
  }

  test('an account with few open calls is admitted while the one that made the overload is not', () => {
    overload();
    const light = new Account(0);
    expect(admission.admits(light, 60_000)).toBe(true);
    for (let call = 0; call < 20; call++) admission.begun(light);
    expect(admission.admits(light, 60_000)).toBe(true);
  });

  test('an account is light up to half of what an account has on average', () => {
    overload();
    const other = new Account(0);
    let admitted = 0;
    for (; admission.admits(other, 60_000); admitted++) admission.begun(other);
    expect(admitted).toBeGreaterThan(300);
    expect(admitted).toBeLessThanOrEqual(334); // 1,000 + 334 calls of two accounts: half of the average is 334
  });

  describe('H49: one network with many accounts, each with few calls', () => {
    const accounts = new Accounts(() => 0);
    const named = (network: string, nth: number) => accounts.ofCaller(`${network} ${nth}`, { remoteAddress: network });
    const anonymous = (network: string) => accounts.ofConnection({ remoteAddress: network });

    /** Begins as many calls as are admitted, eight of each of 2,000 accounts of the network. */
    function flood(network: string, accountOf: (network: string, nth: number) => Account): number {
      let admitted = 0;
      for (let nth = 0; nth < 2_000; nth++) {
        const one = accountOf(network, nth);
        for (let call = 0; call < 8 && admission.admits(one, 60_000); call++, admitted++) admission.begun(one);
      }
      return admitted;
    }

    test.each([
      ['connections', anonymous],
      ['names', named],
    ])('%s: it has no queue of thousands, and nobody else is rejected for it', (_, accountOf) => {
      overload();
      expect(flood('192.0.2.1', accountOf)).toBeLessThanOrEqual(1_024);
      expect(admission.admits(accountOf('192.0.2.2', 0), 60_000)).toBe(true);
    });

    test('ten such networks leave room for a further one', () => {
      overload();
      for (let nth = 0; nth < 10; nth++) flood(`198.51.100.${nth}`, anonymous);
      expect(admission.open).toBeGreaterThan(4_000);
      expect(admission.admits(anonymous('192.0.2.3'), 60_000)).toBe(true);
    });
  });

  describe('H49: a heavy caller does not take the calls of the others in its network, behind a proxy for example', () => {
    let accounts: Accounts;
    beforeEach(() => {
      accounts = new Accounts(() => 0);
    });
    const behindProxy = (name: string) => accounts.ofCaller(name, { remoteAddress: '192.0.2.9' });

    test('in an overload that it has made', () => {
      account = behindProxy('heavy');
      begin(2_300);
      busy = 0.95;
      answer(300, 1);
      expect(admission.admits(account, 60_000)).toBe(false);
      const light = behindProxy('light');
      for (let call = 0; call < 8; call++) {
        expect(admission.admits(light, 60_000)).toBe(true);
        admission.begun(light);
      }
      expect(admission.admits(light, 60_000), 'its ninth call').toBe(false);
    });

    test('with as many calls as an account may have', () => {
      account = behindProxy('heaviest');
      begin(4_096);
      expect(admission.admits(behindProxy('another'), 60_000)).toBe(true);
    });

    test('its calls that have ended leave no trace in its network', () => {
      const one = behindProxy('one');
      for (let round = 0; round < 200; round++) {
        for (let call = 0; call < 20; call++) admission.begun(one);
        for (let call = 0; call < 20; call++) admission.ended(one);
      }
      expect([one.networkCalls, one.networkFirstCalls, one.sharers]).toEqual([0, 0, 1]);
    });
  });

  test('a thousand accounts with few calls each cannot hold more than there is room for in all', () => {
    let admitted = 0;
    for (let one = 0; one < 2_000; one++) {
      const many = new Account(0);
      for (let call = 0; call < 8 && admission.admits(many, 60_000); call++, admitted++) admission.begun(many);
    }
    expect(admitted).toBe(8_192 + 1_024);
  });
});
