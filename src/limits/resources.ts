// Creates everything that the callers of one process share.

import { Accounts } from './accounts.ts';
import { type Admission, createAdmission } from './admission.ts';
import { CallScheduler } from './call-scheduler.ts';
import { ConnectionTable } from './connection-table.ts';
import type { ProcessLimits } from './limits.ts';
import { MemoryBudget } from './memory-budget.ts';
import { PublicShare } from './public-share.ts';
import { BODY_TURN_MS, RECORD_TURN_MS, ReadScheduler } from './read-scheduler.ts';
import { StreamSlots } from './stream-slots.ts';
import { UnreadCalls } from './unread-calls.ts';

/**
 * What can run out. `rejections`: so many calls of an account were rejected that it is not read from for a while. `caller_calls`: a
 * caller exceeded the limit that the operator configured.
 */
export const LIMIT_NAMES = [
  'connections',
  'unread_calls',
  'open_calls',
  'waiting_calls',
  'held_bytes',
  'streams',
  'public_requests',
  'rejections',
  'caller_calls',
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

export type OnLimit = (limit: LimitName) => void;

export interface Resources {
  readonly limits: ProcessLimits;
  /** Called whenever a limit was reached: something was rejected, or evicted for others. */
  readonly onLimit: OnLimit;
  readonly accounts: Accounts;
  readonly admission: Admission;
  readonly scheduler: CallScheduler;
  readonly reads: ReadScheduler;
  /** Schedules the decryption of what TLS connections have sent. */
  readonly records: ReadScheduler;
  /** The same for connections whose records carry no data. */
  readonly emptyRecords: ReadScheduler;
  /** Schedules the reading of long bodies over HTTP/1.1. */
  readonly bodies: ReadScheduler;
  readonly unread: UnreadCalls;
  readonly streams: StreamSlots;
  readonly publicShare: PublicShare;
  readonly memory: MemoryBudget;
  readonly connections: ConnectionTable;
  /** How much of each is in use. */
  inUse(): Readonly<Partial<Record<LimitName, number>>>;
}

export function createResources(limits: ProcessLimits, onLimit: OnLimit = () => undefined): Resources {
  const admission = createAdmission();
  const scheduler = new CallScheduler();
  const unread = new UnreadCalls(limits.unread);
  const streams = new StreamSlots(limits.streams);
  const memory = new MemoryBudget(limits.memory, () => onLimit('held_bytes'));
  const connections = new ConnectionTable(limits.connections, () => onLimit('connections'));
  return {
    limits,
    onLimit,
    accounts: new Accounts(),
    admission,
    scheduler,
    reads: new ReadScheduler(),
    records: new ReadScheduler(undefined, RECORD_TURN_MS),
    emptyRecords: new ReadScheduler(undefined, BODY_TURN_MS),
    bodies: new ReadScheduler(undefined, BODY_TURN_MS),
    unread,
    streams,
    publicShare: new PublicShare(),
    memory,
    connections,
    inUse: () => ({
      connections: connections.size,
      unread_calls: unread.size,
      open_calls: admission.open,
      waiting_calls: scheduler.waiting,
      held_bytes: memory.usedBytes,
      streams: streams.used,
    }),
  };
}
