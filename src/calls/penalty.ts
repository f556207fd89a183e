// Penalties for connections with too many rejected requests.

/** `throttle`: the connection is not read from for a while; `rest`: for a longer while. `disconnect`: it is closed. */
export type Penalty = 'none' | 'throttle' | 'rest' | 'disconnect';

/**
 * How long a throttled connection is not read from, in milliseconds. Public requests come from connections without an identity: rejecting
 * a flood of them must cost as little as possible, and probes of an orchestrator stay far below the limit.
 */
const PAUSE_MS = { throttle: 100, rest: 1_000 } as const;

/** The pause of a penalty; undefined: none. */
export function pauseOf(penalty: Penalty): number | undefined {
  return penalty === 'throttle' || penalty === 'rest' ? PAUSE_MS[penalty] : undefined;
}
