// Limits the rate of the requests of a stream. Requests above the rate are not rejected but read later.

import { type Rate, TokenBucket } from '../limits/index.ts';

export interface StreamRate {
  readonly rate: Rate;
  /** A stream ends when it has had no request for this time. */
  readonly idleMs: number;
}

/** How long a request above the rate waits before the next attempt, in milliseconds. */
const RETRY_MS = 20;

/** Yields the requests in order. Ends when none has arrived within the idle time. Throws the reason of the signal when it is aborted. */
export async function* paced<T>(
  requests: AsyncIterable<T>,
  signal: AbortSignal,
  { rate, idleMs }: StreamRate,
): AsyncGenerator<T> {
  const iterator = requests[Symbol.asyncIterator]();
  const bucket = new TokenBucket(rate, performance.now());
  for (;;) {
    const next = await nextWithin(iterator, idleMs);
    if (next === undefined || next.done === true) return;
    while (!bucket.take(performance.now())) await pause(signal);
    yield next.value;
  }
}

/** Returns the next request; undefined if none arrives in time. */
async function nextWithin<T>(iterator: AsyncIterator<T>, ms: number): Promise<IteratorResult<T> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined).unref();
  });
  const next = iterator.next();
  // The promise may reject after the wait has ended.
  next.catch(() => undefined);
  try {
    return await Promise.race([next, idle]);
  } finally {
    clearTimeout(timer);
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
  signal.throwIfAborted();
}
