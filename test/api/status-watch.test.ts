// H21: those who watch a status cost one timer and one set, however many they are and however long they stay.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createStatusWatch } from '../../src/api/status-watch.ts';

let status: string;

beforeEach(() => {
  vi.useFakeTimers();
  status = 'SERVING';
});
afterEach(() => void vi.useRealTimers());

describe('H21: watching a status', () => {
  test('yields it now and whenever it has changed, and the newest to who is slow', async () => {
    const watch = createStatusWatch(() => status, 1000);
    const answers = watch.watch('', new AbortController().signal);
    expect(await answers.next()).toEqual({ done: false, value: 'SERVING' });
    const next = answers.next();
    status = 'NOT_SERVING';
    vi.advanceTimersByTime(1000);
    expect(await next).toEqual({ done: false, value: 'NOT_SERVING' });
    for (status of ['SERVING', 'UNKNOWN']) vi.advanceTimersByTime(1000);
    expect(await answers.next()).toEqual({ done: false, value: 'UNKNOWN' });
    await answers.return(undefined);
  });

  test('a day of a thousand watchers adds no timer and no listener', async () => {
    const watch = createStatusWatch(() => status, 1000);
    const controllers = Array.from({ length: 1000 }, () => new AbortController());
    const added = controllers.map(({ signal }) => vi.spyOn(signal, 'addEventListener'));
    const waiting = controllers.map(async ({ signal }) => {
      const seen: string[] = [];
      try {
        for await (const one of watch.watch('', signal)) seen.push(one);
      } catch {
        return seen;
      }
      return seen;
    });
    await Promise.resolve();
    for (let second = 0; second < 86_400; second += 100) vi.advanceTimersByTime(100_000);
    expect([vi.getTimerCount(), watch.size]).toEqual([1, 1000]);
    expect(added.every(({ mock }) => mock.calls.length === 1)).toBe(true);
    for (const controller of controllers) controller.abort(new Error('gone'));
    expect(await Promise.all(waiting)).toEqual(controllers.map(() => ['SERVING']));
    expect([vi.getTimerCount(), watch.size]).toEqual([0, 0]);
  });

  test('who was aborted before hears nothing, and leaves nothing behind', async () => {
    const watch = createStatusWatch(() => status, 1000);
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(watch.watch('', signal).next()).rejects.toThrow('gone');
    expect([vi.getTimerCount(), watch.size]).toEqual([0, 0]);
  });
});
