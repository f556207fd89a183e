// What a connection has to bear whose requests are rejected again and again.

/** `throttle`: its connection is not read from for a while; `rest`: for a long while. `disconnect`: it is closed. */
export type Penalty = 'none' | 'throttle' | 'rest' | 'disconnect';

/**
 * For how long a connection whose account had too many calls rejected is not read from, in milliseconds. A flood of what is public comes
 * from one that proves nothing: rejecting it must cost next to nothing, and a probe of an orchestrator comes far below the limit.
 */
const PAUSE_MS = { throttle: 100, rest: 1_000 } as const;

/** The pause that belongs to a penalty; undefined: none. */
export function pauseOf(penalty: Penalty): number | undefined {
  return penalty === 'throttle' || penalty === 'rest' ? PAUSE_MS[penalty] : undefined;
}
