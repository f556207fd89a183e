// An attack: prepared first, then run until it is stopped.

import { setTimeout as pause } from 'node:timers/promises';
import type { AttackOrder } from '../support/target.ts';
import { tally } from './tally.ts';

/** Prepares, and answers what runs the attack until the signal. The process ends afterwards, and its sockets with it. */
export type Attack = (order: AttackOrder) => Promise<(until: AbortSignal) => Promise<void>>;

/** A peer that is cut off comes again, but makes no flood of connections of it. */
const REOPEN_MS = 200;

/** Keeps `count` connections at work: `serve` uses one to its end, and is then called again. */
export async function keepOpen(
  count: number,
  until: AbortSignal,
  serve: (place: number) => Promise<void>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, place) => {
      while (!until.aborted) {
        await serve(place).catch(() => tally('connections that failed'));
        await wait(REOPEN_MS, until);
      }
    }),
  );
}

/** Waits for so long, or until the signal. */
export async function wait(ms: number, until: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: until }).catch(() => undefined);
}

/** Resolves at the signal. */
export function aborted(until: AbortSignal): Promise<void> {
  if (until.aborted) return Promise.resolve();
  return new Promise((resolve) => until.addEventListener('abort', () => resolve(), { once: true }));
}
