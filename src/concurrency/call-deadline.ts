// The deadline of the current call, as part of its async context; ports have no parameter for it. Code that waits for another machine
// reads it, so that the caller gets an error in time that names what did not respond.

import { AsyncLocalStorage } from 'node:async_hooks';

const deadlines = new AsyncLocalStorage<number>();

/** Runs `work`, and all that it starts, under a deadline in milliseconds of `performance.now()`; Infinity: none. */
export function underDeadline<T>(atMs: number, work: () => T): T {
  return atMs === deadlineMs() ? work() : deadlines.run(atMs, work);
}

/** The deadline of the current call; Infinity if it has none. */
export function deadlineMs(): number {
  return deadlines.getStore() ?? Number.POSITIVE_INFINITY;
}

/** Milliseconds until the deadline of the current call. */
export function timeLeftMs(): number {
  return deadlineMs() - performance.now();
}

/** Waits for `work` until `atMs`, and then throws the error of `late`. The work itself continues. */
export function answeredBy<T>(atMs: number, work: Promise<T>, late: () => unknown): Promise<T> {
  if (atMs === Number.POSITIVE_INFINITY) return work;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), Math.max(0, Math.ceil(atMs - performance.now())));
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
