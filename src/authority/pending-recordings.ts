// Port: tokens that left before their entries, until each entry is there or it is known that there will be none.

import { EctError, type Rejection, reject } from '../errors.ts';

/** A task, by its name. */
export interface TaskName {
  /** Empty for a task without a workflow. */
  readonly wid: string;
  readonly jti: string;
}

/** The order to record a token. */
export interface PendingRecording extends TaskName {
  readonly iss: string;
  /** What identifies the token, 32 bytes. */
  readonly digest: Uint8Array;
  readonly token: string;
  /** Who had it issued. */
  readonly caller: string;
  /** When, in seconds since the epoch. */
  readonly orderedAt: number;
  /** What the entry will say of its provenance: of the moment of the order. Undefined for one that an earlier release placed. */
  readonly provenance: Uint8Array | undefined;
}

/** Names one order and no later one for the same task. */
export type PendingRef = Pick<PendingRecording, 'wid' | 'jti' | 'digest'>;

/** What is known of an order. One that was carried out is forgotten: the ledger has the entry. */
export interface PendingState {
  readonly iss: string;
  readonly digest: Uint8Array;
  /** Why there will be no entry; undefined while the order is open. */
  readonly failure: Rejection | undefined;
}

/** `waiting`: the same token was ordered before. `conflict`: another token was, for the same task. Neither changes anything. */
export type PendingPlacement = 'placed' | 'waiting' | 'conflict';

/** How many recordings may be pending. */
export interface PendingLimits {
  readonly total: number;
  readonly perCaller: number;
}

/** Three callers that take all they can leave room for others. An order has 17 KB at most. */
export const PENDING_LIMITS: PendingLimits = { total: 10_000, perCaller: 3_000 };

/**
 * Keeps pending recordings, at most one for each task.
 *
 * Durability: an order that was `placed` survives a crash of the process and of the machine, until it is done or has
 * failed (the memory adapter excepted: it says so). Every process that shares the store sees it. Leases: an order is in
 * the hands of who placed or took it for as long as the lease; then `take` hands it to the next. The store's own clock
 * counts. It is no lock: an order that two carry out is recorded once, since names are unique in the ledger. Failures:
 * EctError QUOTA_EXCEEDED where too many of a caller are open, SERVICE_OVERLOADED where too many of all are (of several
 * processes at once a few more may be), LEDGER_UNAVAILABLE, ONCE_CORRUPT or STORAGE_FULL.
 */
export interface PendingRecordings {
  /** Places an order. It takes the place of one for the same task that has failed. */
  place(order: PendingRecording, leaseMs: number): Promise<PendingPlacement>;
  find(task: TaskName): Promise<PendingState | undefined>;
  /** Takes pending recordings without a lease, at most `limit`, the oldest first. */
  take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]>;
  /** Forgets an order: its entry is in the ledger. */
  done(order: PendingRef): Promise<void>;
  /** Ends an order without an entry. Its token is forgotten now, and why it failed after `keepMs`. */
  failed(order: PendingRef, failure: Rejection, keepMs: number): Promise<void>;
  /** Finishes what was asked for. */
  close(): Promise<void>;
}

/** The rejection where the limit of pending recordings is reached. */
export function tooManyPending(of: keyof PendingLimits, limits: PendingLimits): EctError {
  const limit = String(limits[of]);
  const waiting = `has ${limit} pending recordings, which is the limit.`;
  // Of all callers together it is load, which no caller can spread over time.
  if (of === 'total') return new EctError(reject('SERVICE_OVERLOADED', `The service ${waiting}`));
  const facts = { quota: 'open_recordings_per_caller', limit, retry_after_seconds: '1' };
  return new EctError(reject('QUOTA_EXCEEDED', `This caller ${waiting}`, facts));
}
