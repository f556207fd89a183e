// The requests of a stream at a bounded rate. Who sends more is not rejected: its next request is read later.

import { type Rate, TokenBucket } from '../limits/index.ts';

export interface StreamRate {
  readonly rate: Rate;
  /** A stream without a request for so long ends. */
  readonly idleMs: number;
}

/** How long a request waits before it is tried again whether the rate allows it, in milliseconds. */
const RETRY_MS = 20;

/** Yields the requests in order. Ends when none has come for a while; throws the reason of the signal. */
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

/** The next request; undefined where it does not come in time. */
async function nextWithin<T>(iterator: AsyncIterator<T>, ms: number): Promise<IteratorResult<T> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined).unref();
  });
  const next = iterator.next();
  // It may fail after the wait has ended.
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
