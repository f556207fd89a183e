// Recording orders in memory: nothing outlives the process, as the ledger beside it.

import {
  ORDER_LIMITS,
  type OrderLimits,
  type OrderPlacement,
  type OrderRef,
  type OrderState,
  type RecordingOrder,
  type RecordingOrders,
  type TaskName,
  tooManyOrders,
} from '../../authority/index.ts';
import { EctError, type Refusal, refuse } from '../../errors.ts';
import { orderKey } from '../orders.ts';

interface Row {
  readonly order: RecordingOrder;
  readonly failure: Refusal | undefined;
  /** Open: when the lease is over. Failed: when it is forgotten. */
  dueMs: number;
}

/** Failures that are remembered; the oldest are forgotten. */
const MAX_FAILED = 10_000;

export class MemoryRecordingOrders implements RecordingOrders {
  readonly #limits: OrderLimits;
  readonly #open = new Map<string, Row>();
  readonly #failed = new Map<string, Row>();
  readonly #callers = new Map<string, number>();
  #isClosed = false;

  constructor(limits: OrderLimits = ORDER_LIMITS) {
    this.#limits = limits;
  }

  async place(order: RecordingOrder, leaseMs: number): Promise<OrderPlacement> {
    this.#refuseIfClosed();
    const key = nameOf(order);
    const open = this.#open.get(key);
    if (open !== undefined) return isSame(open.order, order) ? 'waiting' : 'conflict';
    const own = this.#callers.get(order.caller) ?? 0;
    if (own >= this.#limits.perCaller) throw tooManyOrders('perCaller', this.#limits);
    if (this.#open.size >= this.#limits.total) throw tooManyOrders('total', this.#limits);
    this.#failed.delete(key);
    this.#open.set(key, { order, failure: undefined, dueMs: performance.now() + leaseMs });
    this.#callers.set(order.caller, own + 1);
    return 'placed';
  }

  async find(task: TaskName): Promise<OrderState | undefined> {
    this.#refuseIfClosed();
    const key = nameOf(task);
    const row = this.#open.get(key) ?? this.#failed.get(key);
    if (row === undefined || (row.failure !== undefined && row.dueMs <= performance.now())) return undefined;
    return { iss: row.order.iss, digest: row.order.digest, failure: row.failure };
  }

  async take(limit: number, leaseMs: number): Promise<readonly RecordingOrder[]> {
    this.#refuseIfClosed();
    const now = performance.now();
    const due = [...this.#open.values()].filter(({ dueMs }) => dueMs <= now).sort((a, b) => a.dueMs - b.dueMs);
    const taken = due.slice(0, limit);
    for (const row of taken) row.dueMs = now + leaseMs;
    return taken.map(({ order }) => order);
  }

  async done(order: OrderRef): Promise<void> {
    this.#refuseIfClosed();
    this.#end(order);
  }

  async failed(order: OrderRef, failure: Refusal, keepMs: number): Promise<void> {
    this.#refuseIfClosed();
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
  #end(order: OrderRef): Row | undefined {
    const key = nameOf(order);
    const row = this.#open.get(key);
    if (row === undefined || !isSame(row.order, order)) return undefined;
    this.#open.delete(key);
    const left = (this.#callers.get(row.order.caller) ?? 1) - 1;
    if (left === 0) this.#callers.delete(row.order.caller);
    else this.#callers.set(row.order.caller, left);
    return row;
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new EctError(refuse('LEDGER_UNAVAILABLE', 'The memory of recording orders is closed.'));
  }
}

function nameOf(task: TaskName): string {
  return orderKey(task).toString('latin1');
}

function isSame(one: OrderRef, other: OrderRef): boolean {
  return Buffer.compare(one.digest, other.digest) === 0;
}
