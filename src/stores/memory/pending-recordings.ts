// Pending recordings in memory: lost with the process, like the memory ledger.

import {
  PENDING_LIMITS,
  type PendingLimits,
  type PendingOutcome,
  type PendingRecording,
  type PendingRecordings,
  type PendingRef,
  type PendingState,
  type TaskName,
  tooManyPending,
} from '../../authority/index.ts';
import { EctError, type Rejection, reject } from '../../errors.ts';
import { pendingKey } from '../pending-recordings.ts';

interface Row {
  readonly recording: PendingRecording;
  readonly failure: Rejection | undefined;
  /** Of a pending recording: the end of its lease. Of a failed one: when it is deleted. */
  dueMs: number;
}

/** Most failures that are kept; the oldest are deleted. */
const MAX_FAILED = 10_000;

export class MemoryPendingRecordings implements PendingRecordings {
  readonly #limits: PendingLimits;
  readonly #open = new Map<string, Row>();
  readonly #failed = new Map<string, Row>();
  readonly #callers = new Map<string, number>();
  #isClosed = false;

  constructor(limits: PendingLimits = PENDING_LIMITS) {
    this.#limits = limits;
  }

  async add(recording: PendingRecording, leaseMs: number): Promise<PendingOutcome> {
    this.#rejectIfClosed();
    const key = nameOf(recording);
    const open = this.#open.get(key);
    if (open !== undefined) return isSame(open.recording, recording) ? 'duplicate' : 'conflict';
    const own = this.#callers.get(recording.caller) ?? 0;
    if (own >= this.#limits.perCaller) throw tooManyPending('perCaller', this.#limits);
    if (this.#open.size >= this.#limits.total) throw tooManyPending('total', this.#limits);
    this.#failed.delete(key);
    this.#open.set(key, { recording, failure: undefined, dueMs: performance.now() + leaseMs });
    this.#callers.set(recording.caller, own + 1);
    return 'added';
  }

  async find(task: TaskName): Promise<PendingState | undefined> {
    this.#rejectIfClosed();
    const key = nameOf(task);
    const row = this.#open.get(key) ?? this.#failed.get(key);
    if (row === undefined || (row.failure !== undefined && row.dueMs <= performance.now())) return undefined;
    return { iss: row.recording.iss, digest: row.recording.digest, failure: row.failure };
  }

  async take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]> {
    this.#rejectIfClosed();
    const now = performance.now();
    const due = [...this.#open.values()].filter(({ dueMs }) => dueMs <= now).sort((a, b) => a.dueMs - b.dueMs);
    const taken = due.slice(0, limit);
    for (const row of taken) row.dueMs = now + leaseMs;
    return taken.map(({ recording }) => recording);
  }

  async done(recording: PendingRef): Promise<void> {
    this.#rejectIfClosed();
    this.#end(recording);
  }

  async failed(recording: PendingRef, failure: Rejection, keepMs: number): Promise<void> {
    this.#rejectIfClosed();
    const row = this.#end(recording);
    if (row === undefined) return;
    const ended = { recording: { ...row.recording, token: '' }, failure, dueMs: performance.now() + keepMs };
    this.#failed.set(nameOf(recording), ended);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > MAX_FAILED && oldest !== undefined) this.#failed.delete(oldest);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** Removes the pending recording, unless another one replaced it. */
  #end(recording: PendingRef): Row | undefined {
    const key = nameOf(recording);
    const row = this.#open.get(key);
    if (row === undefined || !isSame(row.recording, recording)) return undefined;
    this.#open.delete(key);
    const left = (this.#callers.get(row.recording.caller) ?? 1) - 1;
    if (left === 0) this.#callers.delete(row.recording.caller);
    else this.#callers.set(row.recording.caller, left);
    return row;
  }

  #rejectIfClosed(): void {
    if (this.#isClosed) throw new EctError(reject('LEDGER_UNAVAILABLE', 'The store of pending recordings is closed.'));
  }
}

function nameOf(task: TaskName): string {
  return pendingKey(task).toString('latin1');
}

function isSame(one: PendingRef, other: PendingRef): boolean {
  return Buffer.compare(one.digest, other.digest) === 0;
}
