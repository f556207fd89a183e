// Port: the pending recordings, which are tokens that were returned before their entries were written.

import { EctError, type Rejection, reject } from '../errors.ts';

/** A task, by its name. */
export interface TaskName {
  /** Empty for a task without a workflow. */
  readonly wid: string;
  readonly jti: string;
}

/** A token whose entry is to be written. */
export interface PendingRecording extends TaskName {
  readonly iss: string;
  /** The digest that identifies the token, 32 bytes. */
  readonly digest: Uint8Array;
  readonly token: string;
  /** The caller of the request that issued it. */
  readonly caller: string;
  /** The time of the request, in seconds since the epoch. */
  readonly requestedAt: number;
  /** The provenance of the entry, as of the request. Undefined if an earlier release stored the recording. */
  readonly provenance: Uint8Array | undefined;
}

/** Identifies one recording, and no later one for the same task. */
export type PendingRef = Pick<PendingRecording, 'wid' | 'jti' | 'digest'>;

/** The state of a recording. A completed one is deleted: its entry is in the ledger. */
export interface PendingState {
  readonly iss: string;
  readonly digest: Uint8Array;
  /** Why there will be no entry; undefined while the recording is pending. */
  readonly failure: Rejection | undefined;
}

/** `duplicate`: the same token is pending already. `conflict`: another token of the same task is. Neither changes anything. */
export type PendingOutcome = 'added' | 'duplicate' | 'conflict';

/** How many recordings may be pending. */
export interface PendingLimits {
  readonly total: number;
  readonly perCaller: number;
}

/** Three callers with the most that one may have leave room for others. A recording has at most 17 KB. */
export const PENDING_LIMITS: PendingLimits = { total: 10_000, perCaller: 3_000 };

/**
 * Stores pending recordings, at most one for each task.
 *
 * Durability: after `added` the recording survives a crash of the process and of the machine, until it is done or has failed (except in
 * the memory adapter). All processes that share the store see it.
 *
 * Leases: a recording belongs to the process that added or took it until its lease expires by the clock of the store; then `take` returns
 * it to the next one. The lease is not a lock: if two processes complete the same recording, the unique name in the ledger makes it one
 * entry.
 *
 * Errors: QUOTA_EXCEEDED if too many recordings of the caller are pending, SERVICE_OVERLOADED if too many of all callers are (several
 * processes at once may exceed this limit a little), LEDGER_UNAVAILABLE, ONCE_CORRUPT or STORAGE_FULL.
 */
export interface PendingRecordings {
  /** Adds a recording. It replaces a failed one of the same task. */
  add(recording: PendingRecording, leaseMs: number): Promise<PendingOutcome>;
  find(task: TaskName): Promise<PendingState | undefined>;
  /** Leases at most `limit` recordings without a lease, oldest first. */
  take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]>;
  /** Deletes a recording whose entry is in the ledger. */
  done(recording: PendingRef): Promise<void>;
  /** Ends a recording without an entry. Its token is deleted now, and the failure after `keepMs`. */
  failed(recording: PendingRef, failure: Rejection, keepMs: number): Promise<void>;
  /** Completes the pending calls, then closes the store. */
  close(): Promise<void>;
}

/** The rejection if the limit of pending recordings is reached. */
export function tooManyPending(of: keyof PendingLimits, limits: PendingLimits): EctError {
  const limit = String(limits[of]);
  const waiting = `has ${limit} pending recordings, which is the limit.`;
  // The total of all callers is load: no caller can spread it over time.
  if (of === 'total') return new EctError(reject('SERVICE_OVERLOADED', `The service ${waiting}`));
  const facts = { quota: 'open_recordings_per_caller', limit, retry_after_seconds: '1' };
  return new EctError(reject('QUOTA_EXCEEDED', `This caller ${waiting}`, facts));
}
