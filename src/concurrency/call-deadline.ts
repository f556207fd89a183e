// By when a call must be answered. The deadline belongs to all work that the call has begun, as its async context; ports do not
// carry it. Code that waits for another machine reads it, so that the caller gets an error in time that names what did not respond.

import { AsyncLocalStorage } from 'node:async_hooks';

const deadlines = new AsyncLocalStorage<number>();

/** Runs `work`, and all that it begins, under a deadline in milliseconds of `performance.now()`; Infinity: under none. */
export function underDeadline<T>(atMs: number, work: () => T): T {
  return atMs === deadlineMs() ? work() : deadlines.run(atMs, work);
}

/** The deadline of the call that asks; Infinity where there is none. */
export function deadlineMs(): number {
  return deadlines.getStore() ?? Number.POSITIVE_INFINITY;
}

/** Milliseconds that are left to the call that asks. */
export function timeLeftMs(): number {
  return deadlineMs() - performance.now();
}

/** Waits for `work` until `atMs`, and then fails with what `late` says. The work itself goes on. */
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
