// The settings that limit the memory and work that peers may cause in one process.

import type { Rules, Settings, ValuesOf } from './setting.ts';
import { whole } from './types.ts';

export interface LimitsConfig {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** The memory for incomplete requests and unread responses. */
  readonly heldMib: number;
  /** The maximum time from the headers of a request to its last byte. */
  readonly requestSeconds: number;
  /** How long a response may wait for a peer that does not read. */
  readonly answerSeconds: number;
  /** How long a connection without a call stays open. */
  readonly idleSeconds: number;
  /** The maximum number of long-lived streams. */
  readonly streams: number;
}

export const LIMIT_SETTINGS = {
  ECT_MAX_CONNECTIONS: {
    type: whole(16, 1_000_000),
    default: '2048',
    meaning: 'connections of one process; [Limits](docs/operating.md#limits) describes what happens at each limit',
  },
  ECT_MAX_CONNECTIONS_PER_ADDRESS: {
    type: whole(1, 1_000_000),
    unset: 'half of ECT_MAX_CONNECTIONS',
    meaning: 'connections of one IPv4 address or IPv6 /64',
  },
  ECT_MAX_STREAMS: {
    type: whole(1, 100_000),
    default: '512',
    meaning: 'open streams (health watches, reflection) of one process',
  },
  ECT_MAX_HELD_MIB: {
    type: whole(32, 65_536),
    default: '64',
    meaning: 'memory of one process for incomplete requests and unread responses',
  },
  ECT_REQUEST_TIMEOUT_SEC: { type: whole(1, 60), default: '15', meaning: 'how long a request may take to arrive' },
  ECT_ANSWER_TIMEOUT_SEC: {
    type: whole(1, 600),
    default: '30',
    meaning: 'how long a client may take to read a response',
  },
  ECT_IDLE_TIMEOUT_SEC: {
    type: whole(10, 86_400),
    default: '600',
    meaning: 'idle timeout of a connection; it should be longer than the pause between two calls of a client',
  },
} satisfies Settings;

export function limitsConfig(values: ValuesOf<typeof LIMIT_SETTINGS>, { problem }: Rules): LimitsConfig {
  const connections = values.ECT_MAX_CONNECTIONS;
  const connectionsPerAddress = values.ECT_MAX_CONNECTIONS_PER_ADDRESS ?? Math.ceil(connections / 2);
  if (connectionsPerAddress > connections) {
    problem('ECT_MAX_CONNECTIONS_PER_ADDRESS must not be more than ECT_MAX_CONNECTIONS.');
  }
  return {
    connections,
    connectionsPerAddress,
    heldMib: values.ECT_MAX_HELD_MIB,
    requestSeconds: values.ECT_REQUEST_TIMEOUT_SEC,
    answerSeconds: values.ECT_ANSWER_TIMEOUT_SEC,
    idleSeconds: values.ECT_IDLE_TIMEOUT_SEC,
    streams: values.ECT_MAX_STREAMS,
  };
}
