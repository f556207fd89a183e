// Which settings say what peers may make one process hold and do.

import type { SettingsReader } from './signer.ts';

export interface LimitsConfig {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Requests that have not arrived whole, and answers that are not read. */
  readonly heldMib: number;
  /** From the headers of a request to its last byte. */
  readonly requestSeconds: number;
  /** For which an answer may wait for its reader. */
  readonly answerSeconds: number;
  /** A connection without a call. */
  readonly idleSeconds: number;
  /** Streams that stay open. */
  readonly streams: number;
}

export function readLimits({ whole, problem }: SettingsReader): LimitsConfig {
  const connections = whole('ECT_MAX_CONNECTIONS', 2_048, 16, 1_000_000);
  const half = Math.ceil(connections / 2);
  const limits = {
    connections,
    connectionsPerAddress: whole('ECT_MAX_CONNECTIONS_PER_ADDRESS', half, 1, 1_000_000),
    heldMib: whole('ECT_MAX_HELD_MIB', 96, 32, 65_536),
    requestSeconds: whole('ECT_REQUEST_TIMEOUT_SEC', 15, 1, 60),
    answerSeconds: whole('ECT_ANSWER_TIMEOUT_SEC', 30, 1, 600),
    idleSeconds: whole('ECT_IDLE_TIMEOUT_SEC', 600, 10, 86_400),
    streams: whole('ECT_MAX_STREAMS', 512, 1, 100_000),
  };
  if (limits.connectionsPerAddress > connections) {
    problem('ECT_MAX_CONNECTIONS_PER_ADDRESS must not be more than ECT_MAX_CONNECTIONS.');
  }
  return limits;
}
