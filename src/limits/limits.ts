// What peers may make one process hold and compute, in total. Limits of a single connection are in the HTTP/2 server.

import type { ConnectionTableLimits } from './connection-table.ts';
import type { MemoryLimits } from './memory-budget.ts';
import type { StreamLimits } from './stream-slots.ts';
import type { UnreadLimits } from './unread-calls.ts';

export interface ProcessLimits {
  readonly connections: ConnectionTableLimits;
  readonly unread: UnreadLimits;
  readonly memory: MemoryLimits;
  readonly streams: StreamLimits;
  /** The longest time for which a response waits for a peer to read it, in milliseconds. */
  readonly answerMs: number;
}

/** Streams of one connection that are open at once. */
export const MAX_CONNECTION_STREAMS = 16;

export const DEFAULT_PROCESS_LIMITS: ProcessLimits = {
  connections: { maxConnections: 2_048, maxPerAddress: 1_024 },
  unread: { maxCalls: 4_096, maxMs: 15_000 },
  memory: { totalBytes: 64 << 20, accountBytes: 21 << 20 },
  streams: { maxStreams: 512, maxPerConnection: MAX_CONNECTION_STREAMS },
  answerMs: 30_000,
};
