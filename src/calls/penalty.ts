// What a connection has to bear whose requests are rejected again and again.

/** For so many milliseconds nothing is read from it (0: it bears nothing), or it is closed. */
export type Penalty = number | 'disconnect';

export const NO_PENALTY = 0;

/** For a connection whose account had too many calls rejected. */
export const THROTTLE_MS = 100;

/**
 * The same for requests that are public. A flood of them comes from a connection that proves nothing: rejecting it must cost next to
 * nothing, and a probe of an orchestrator comes far below the limit.
 */
export const LONG_THROTTLE_MS = 1_000;

/** The longest pause of a connection that carries the calls of several callers: all of them bear it. */
export const SHARED_THROTTLE_MS = 20;

/**
 * Resolves after the pause of a penalty, or when one of these ends it (the peer is gone, the service stops): a transport that cannot pause
 * a connection delays its response.
 */
export async function penaltyPaid(penalty: Penalty, ends: readonly AbortSignal[]): Promise<void> {
  if (penalty === 'disconnect' || penalty === NO_PENALTY || ends.some(({ aborted }) => aborted)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  const timer = setTimeout(end, penalty).unref();
  for (const signal of ends) signal.addEventListener('abort', end);
  await promise;
  clearTimeout(timer);
  for (const signal of ends) signal.removeEventListener('abort', end);
}
