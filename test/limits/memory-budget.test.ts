// H24: one budget of bytes for the whole process.

import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Account, type Reservation } from '../../src/limits/index.ts';
import { MemoryBudget } from '../../src/limits/memory-budget.ts';

let time: number;
let rejected: number;
let budget: MemoryBudget;

beforeEach(() => {
  time = 0;
  rejected = 0;
  const limits = { totalBytes: 1_000, accountBytes: 400 };
  budget = new MemoryBudget(
    limits,
    () => rejected++,
    () => time,
  );
});

/** A holder that gives up when it is asked to, as a stream does. */
function open(account = new Account(0)): Reservation & { readonly evicted: () => number } {
  const evict = vi.fn<() => void>(() => reservation.close());
  const reservation = budget.open(account, evict);
  return { ...reservation, evicted: () => evict.mock.calls.length };
}

describe('the memory budget', () => {
  test('takes what fits and has it back when it is free', () => {
    const account = new Account(0);
    const one = open(account);
    expect([one.grow(100), one.grow(200)]).toEqual([true, true]);
    expect([budget.usedBytes, account.heldBytes]).toEqual([300, 300]);
    one.shrink(250);
    expect([budget.usedBytes, account.heldBytes]).toEqual([50, 50]);
    one.close();
    one.close();
    one.shrink(10);
    expect([budget.usedBytes, account.heldBytes]).toEqual([0, 0]);
  });

  test('an account has its share and no more, however much is free', () => {
    const account = new Account(0);
    const [one, two] = [open(account), open(account)];
    expect([one.grow(300), two.grow(100), two.grow(1)]).toEqual([true, true, false]);
    expect(rejected).toBe(1);
    one.close();
    expect(two.grow(300)).toBe(true);
  });

  test('when it is exhausted, the oldest reservations are dropped, as many as needed', () => {
    const held = [300, 300, 300].map((bytes) => {
      const holder = open();
      holder.grow(bytes);
      time += 10;
      return holder;
    });
    time += 1_000;
    expect(open().grow(400)).toBe(true);
    expect(held.map(({ evicted }) => evicted())).toEqual([1, 0, 0]);
    expect(budget.usedBytes).toBe(1_000);
  });

  test('H24 what is closed, or was given up, does not grow again: nothing would ever free it', () => {
    const account = new Account(0);
    const closed = open(account);
    closed.grow(100);
    closed.close();
    expect(closed.grow(100)).toBe(false);
    // It goes on, since it does not know yet.
    const deaf = budget.open(account, () => undefined);
    deaf.grow(400);
    open().grow(400);
    time += 1_000;
    expect(open().grow(400)).toBe(true);
    expect(deaf.grow(1)).toBe(false);
    expect([budget.usedBytes, account.heldBytes]).toEqual([800, 0]);
  });

  test('what has only just come is not given up: then the newcomer is rejected', () => {
    const held = [400, 400].map((bytes) => {
      const holder = open();
      holder.grow(bytes);
      return holder;
    });
    expect(open().grow(400)).toBe(false);
    expect(held.map(({ evicted }) => evicted())).toEqual([0, 0]);
    expect(budget.usedBytes).toBe(800);
  });

  test('never gives up the one that wants more', () => {
    const old = open();
    old.grow(300);
    time += 1_000;
    const others = [open(), open()];
    for (const other of others) other.grow(350);
    expect(old.grow(50)).toBe(false);
    expect(old.evicted()).toBe(0);
  });

  test('what is pinned is not given up, however old it is; from when it is let go it is as old as that', () => {
    const [worked, unread] = [open(), open()];
    worked.grow(400);
    worked.pin(true);
    unread.grow(400);
    time += 1_000;
    expect(open().grow(400)).toBe(true);
    expect([worked.evicted(), unread.evicted()]).toEqual([0, 1]);
    worked.pin(false);
    expect(open().grow(400)).toBe(false);
    time += 1_000;
    // The other one of that age was there before.
    expect(open().grow(400)).toBe(true);
    expect(worked.evicted()).toBe(0);
    expect(open().grow(400)).toBe(true);
    expect(worked.evicted()).toBe(1);
  });

  test('counts as gone what was given up, whatever its holder does', () => {
    const stubborn = budget.open(new Account(0), () => undefined);
    stubborn.grow(400);
    const other = open();
    other.grow(400);
    time += 1_000;
    expect(open().grow(400)).toBe(true);
    expect(budget.usedBytes).toBe(800);
    stubborn.close();
    expect(budget.usedBytes).toBe(800);
  });

  test('small requests find room where large answers have taken all that they may', () => {
    const large = new MemoryBudget({ totalBytes: 8 << 20, accountBytes: 8 << 20 }, undefined, () => time);
    const many = Array.from({ length: 100 }, () => large.open(new Account(0), () => undefined));
    const taken = many.filter((one) => one.grow(1 << 20)).length;
    expect(taken).toBe(7);
    expect(large.open(new Account(0), () => undefined).grow(1024)).toBe(true);
  });
});
