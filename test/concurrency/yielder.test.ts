// How long work shares the event loop, and how it ends.

import { describe, expect, test } from 'vitest';
import {
  createYielder,
  FIRST_SLICES_MS,
  nextSlice,
  SLICE_MS,
  STEPS_PER_SLICE,
  TURNS_BETWEEN,
} from '../../src/concurrency/yielder.ts';
import { EctError, reject } from '../../src/errors.ts';

const reasonOf = (work: Promise<unknown>) => work.then(() => 'OK').catch((error: EctError) => error.reason);

describe('a slice', () => {
  test('H18: ends by the clock, however few steps it has taken', async () => {
    let now = 0;
    const yielder = createYielder(undefined, () => now);
    expect(yielder.step(300)).toBe(false);
    now = SLICE_MS;
    expect(yielder.step(300)).toBe(true);
    await yielder.yield();
    expect(yielder.step(300)).toBe(false);
  });

  test('H18: ends by its steps where the clock stands still', () => {
    const yielder = createYielder(undefined, () => 0);
    expect(yielder.step(STEPS_PER_SLICE - 1)).toBe(false);
    expect(yielder.step()).toBe(true);
  });

  test('H18: the first slices of all work that begins in one turn of the event loop end together', async () => {
    let nowMs = 0;
    const now = () => nowMs;
    const firstMs: number[] = [];
    for (let begun = 0; begun < 100; begun++) {
      const [yielder, beganMs] = [createYielder(undefined, now), nowMs];
      while (!yielder.step(250)) nowMs += 0.25;
      firstMs.push(nowMs - beganMs);
    }
    expect(firstMs[0]).toBe(SLICE_MS);
    expect(nowMs).toBe(FIRST_SLICES_MS);
    await new Promise(setImmediate);
    expect(createYielder(undefined, now).step(250), 'in the next turn').toBe(false);
  });

  test('H18: after the first rest a slice is its own again', async () => {
    let nowMs = 0;
    const [first, second] = [0, 1].map(() => createYielder(undefined, () => nowMs));
    nowMs = FIRST_SLICES_MS;
    expect(second!.step(250)).toBe(true);
    await second!.yield();
    expect(second!.step(250)).toBe(false);
    expect(first!.step(250)).toBe(true);
  });

  test('H18: comes in the order of asking, and others have some turns of the event loop in between', async () => {
    const seen: string[] = [];
    const ask = (name: string) => nextSlice().then(() => void seen.push(name));
    const slices = ['a', 'b', 'c'].map(ask);
    const between = (left: number): void => {
      seen.push('-');
      if (left > 1) setImmediate(between, left - 1);
    };
    setImmediate(between, 3 * TURNS_BETWEEN);
    await Promise.all(slices);
    expect(seen.join('').replaceAll('-'.repeat(TURNS_BETWEEN), '-')).toMatch(/^-*a-b-c$/);
  });
});

describe('H26: at the end of a slice', () => {
  const ended = (reason: unknown) => reasonOf(createYielder({ signal: AbortSignal.abort(reason) }).yield());

  test('work ends as its call ended', async () => {
    expect(await ended(new EctError(reject('SERVICE_DRAINING', 'x')))).toBe('SERVICE_DRAINING');
    expect(await ended(new DOMException('x', 'TimeoutError'))).toBe('DEADLINE_EXCEEDED');
    expect(await ended(undefined)).toBe('CALL_CANCELLED');
  });

  test('work continues while its call is open', async () => {
    expect(await reasonOf(createYielder({ signal: new AbortController().signal }).yield())).toBe('OK');
    expect(await reasonOf(createYielder().yield())).toBe('OK');
  });

  test('the signal is not asked for before', () => {
    const yielder = createYielder({
      get signal(): AbortSignal {
        throw new Error('asked');
      },
    });
    expect(yielder.step()).toBe(false);
  });
});
