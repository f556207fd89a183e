// The honest caller as the tests see it: every call that it made, and the wait until those of a time span have ended.

import { setTimeout as pause } from 'node:timers/promises';
import { startChild } from './children.ts';
import type { Target } from './target.ts';

/** One call. `at` is when it began (milliseconds since 1970); `fresh` calls had a connection of their own. */
export interface HonestCall {
  readonly kind: 'call' | 'fresh';
  readonly at: number;
  readonly ms: number;
  readonly failure?: string;
}

export interface HonestReport {
  readonly calls: readonly HonestCall[];
  readonly sentAt: number;
  /** When the oldest call began that has not ended. `Infinity` becomes null on its way. */
  readonly oldestOpen: number | null;
}

export interface HonestCaller extends AsyncDisposable {
  /** The calls that began in this span, once all of them have ended. */
  callsBetween(from: number, to: number): Promise<readonly HonestCall[]>;
}

/** Longer than the longest deadline of the honest caller. */
const LATEST_MS = 20_000;

export function startHonestCaller(target: Target): HonestCaller {
  const calls: HonestCall[] = [];
  let last: HonestReport = { calls: [], sentAt: 0, oldestOpen: null };
  const onMessage = (report: HonestReport) => {
    calls.push(...report.calls);
    last = report;
  };
  const child = startChild<HonestReport>('honest-caller-child.ts', target, { onMessage });
  return {
    async callsBetween(from, to) {
      while (last.sentAt <= to || (last.oldestOpen ?? Number.POSITIVE_INFINITY) <= to) {
        if (Date.now() > to + LATEST_MS) throw new Error('the honest caller has not reported its calls');
        await pause(20);
      }
      return calls.filter(({ at }) => at >= from && at < to);
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
