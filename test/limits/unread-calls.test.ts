// H20: calls whose request has not arrived whole are limited by number and age.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type UnreadCall, UnreadCalls } from '../../src/limits/index.ts';

let unread: UnreadCalls;

beforeEach(() => {
  vi.useFakeTimers();
  unread = new UnreadCalls({ maxCalls: 3, maxMs: 15_000 }, () => Date.now());
});
afterEach(() => void vi.useRealTimers());

function call(): UnreadCall & { readonly why: () => string | undefined } {
  const giveUp = vi.fn<(why: string) => void>();
  return { giveUp, why: () => giveUp.mock.calls[0]?.[0] };
}

describe('unread calls', () => {
  test('one that takes too long is given up, and those that came later are not', () => {
    const [early, later] = [call(), call()];
    unread.add(early);
    vi.advanceTimersByTime(5_000);
    unread.add(later);
    vi.advanceTimersByTime(10_500);
    expect([early.why(), later.why(), unread.size]).toEqual(['late', undefined, 1]);
    vi.advanceTimersByTime(5_000);
    expect([later.why(), unread.size]).toEqual(['late', 0]);
  });

  test('when there are too many, the oldest is given up', () => {
    const calls = Array.from({ length: 5 }, call);
    for (const one of calls) unread.add(one);
    expect(calls.map(({ why }) => why())).toEqual(['evicted', 'evicted', undefined, undefined, undefined]);
    expect(unread.size).toBe(3);
  });

  test('one that was read is left alone, and with the last of them the timer ends', () => {
    const one = call();
    unread.add(one);
    unread.delete(one);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect([one.why(), vi.getTimerCount()]).toEqual([undefined, 0]);
  });
});
