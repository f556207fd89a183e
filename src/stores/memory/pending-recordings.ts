// Pending recordings in memory: nothing outlives the process, as the ledger beside it.

import {
  PENDING_LIMITS,
  type PendingLimits,
  type PendingPlacement,
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
  readonly order: PendingRecording;
  readonly failure: Rejection | undefined;
  /** Open: when the lease is over. Failed: when it is forgotten. */
  dueMs: number;
}

/** Failures that are remembered; the oldest are forgotten. */
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

  async place(order: PendingRecording, leaseMs: number): Promise<PendingPlacement> {
    this.#rejectIfClosed();
    const key = nameOf(order);
    const open = this.#open.get(key);
    if (open !== undefined) return isSame(open.order, order) ? 'waiting' : 'conflict';
    const own = this.#callers.get(order.caller) ?? 0;
    if (own >= this.#limits.perCaller) throw tooManyPending('perCaller', this.#limits);
    if (this.#open.size >= this.#limits.total) throw tooManyPending('total', this.#limits);
    this.#failed.delete(key);
    this.#open.set(key, { order, failure: undefined, dueMs: performance.now() + leaseMs });
    this.#callers.set(order.caller, own + 1);
    return 'placed';
  }

  async find(task: TaskName): Promise<PendingState | undefined> {
    this.#rejectIfClosed();
    const key = nameOf(task);
    const row = this.#open.get(key) ?? this.#failed.get(key);
    if (row === undefined || (row.failure !== undefined && row.dueMs <= performance.now())) return undefined;
    return { iss: row.order.iss, digest: row.order.digest, failure: row.failure };
  }

  async take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]> {
    this.#rejectIfClosed();
    const now = performance.now();
    const due = [...this.#open.values()].filter(({ dueMs }) => dueMs <= now).sort((a, b) => a.dueMs - b.dueMs);
    const taken = due.slice(0, limit);
    for (const row of taken) row.dueMs = now + leaseMs;
    return taken.map(({ order }) => order);
  }

  async done(order: PendingRef): Promise<void> {
    this.#rejectIfClosed();
    this.#end(order);
  }

  async failed(order: PendingRef, failure: Rejection, keepMs: number): Promise<void> {
    this.#rejectIfClosed();
    const row = this.#end(order);
    if (row === undefined) return;
    const ended = { order: { ...row.order, token: '' }, failure, dueMs: performance.now() + keepMs };
    this.#failed.set(nameOf(order), ended);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > MAX_FAILED && oldest !== undefined) this.#failed.delete(oldest);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** Takes an order out of the open ones, unless another has taken its place. */
  #end(order: PendingRef): Row | undefined {
    const key = nameOf(order);
    const row = this.#open.get(key);
    if (row === undefined || !isSame(row.order, order)) return undefined;
    this.#open.delete(key);
    const left = (this.#callers.get(row.order.caller) ?? 1) - 1;
    if (left === 0) this.#callers.delete(row.order.caller);
    else this.#callers.set(row.order.caller, left);
    return row;
  }

  #rejectIfClosed(): void {
    if (this.#isClosed) throw new EctError(reject('LEDGER_UNAVAILABLE', 'The memory of recording orders is closed.'));
  }
}

function nameOf(task: TaskName): string {
  return pendingKey(task).toString('latin1');
}

function isSame(one: PendingRef, other: PendingRef): boolean {
  return Buffer.compare(one.digest, other.digest) === 0;
}
