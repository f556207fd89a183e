// Reads the marks of other processes periodically, so that verdicts without a graph know them.

import { setTimeout as pause } from 'node:timers/promises';
import type { AuthorityContext } from './context.ts';
import { ledgerMarks } from './mark-book.ts';

export interface FollowOptions {
  /** The interval, in milliseconds. */
  readonly everyMs: number;
  /** Called for the first read that fails; reading is retried. */
  readonly onFailed: (cause: unknown) => void;
  /** Called for the first read that succeeds again. */
  readonly onRecovered: () => void;
}

/** Reads once before it returns, then periodically. Returns the function that stops it. */
export async function followMarks(
  parts: Pick<AuthorityContext, 'ledger' | 'keys' | 'now'>,
  { everyMs, onFailed, onRecovered }: FollowOptions,
): Promise<() => Promise<void>> {
  const marks = ledgerMarks(parts);
  const stopping = new AbortController();
  let hasFailed = false;
  const look = async () => {
    try {
      await marks.current();
      if (hasFailed) onRecovered();
      hasFailed = false;
    } catch (cause) {
      if (!hasFailed) onFailed(cause);
      hasFailed = true;
    }
  };
  await look();
  const following = (async () => {
    while (!stopping.signal.aborted) {
      await pause(everyMs, undefined, { ref: false, signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) await look();
    }
  })();
  return () => {
    stopping.abort();
    return following;
  };
}
