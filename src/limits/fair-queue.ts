// Fair queueing by virtual deadlines: next is the work that would end first if all flows were served side by side. So a light
// flow never waits for the backlog of a heavy one, and small work not for large, however many flows there are.

/** Whose work it is. The queue keeps the flow's place in it. */
export interface Flow {
  /** Virtual time up to which the flow has had its share. Starts at 0. */
  virtualFinish: number;
}

interface Piece<T> {
  readonly cost: number;
  readonly item: T;
}

/** A flow with work that waits, first come, first served. */
interface Waiting<T> {
  readonly flow: Flow;
  /** Those that were served are gone: what they belong to is not kept for the places that they had. */
  readonly pieces: (Piece<T> | undefined)[];
  /** The next of the pieces. */
  head: number;
  /** Virtual time at which the next piece may start, and at which it must end. */
  start: number;
  deadline: number;
  sequence: number;
}

const MAX_SERVED = 1024;

export class FairQueue<T> {
  readonly #credit: number;
  /** A binary heap by deadline, then by arrival. */
  readonly #heap: Waiting<T>[] = [];
  readonly #byFlow = new Map<Flow, Waiting<T>>();
  #virtualTime = 0;
  #sequence = 0;
  #size = 0;

  /** `credit`: the share that a flow which has been idle may claim afterwards, so that it goes before those that always want more. */
  constructor(credit = 0) {
    this.#credit = credit;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds work of `cost` (any positive unit, the same for all). A flow that has been idle goes before those that have not. */
  push(flow: Flow, cost: number, item: T): void {
    this.#size++;
    const waiting = this.#byFlow.get(flow);
    if (waiting !== undefined) {
      waiting.pieces.push({ cost, item });
      return;
    }
    const start = this.#startOf(flow);
    const added = {
      flow,
      pieces: [{ cost, item }],
      head: 0,
      start,
      deadline: start + cost,
      sequence: this.#sequence++,
    };
    this.#byFlow.set(flow, added);
    this.#heap.push(added);
    this.#rise(this.#heap.length - 1);
  }

  /** The work whose turn it is. */
  peek(): T | undefined {
    const first = this.#heap[0];
    return first?.pieces[first.head]?.item;
  }

  /** Takes the work whose turn it is. */
  pop(): T | undefined {
    return this.take()?.item;
  }

  /** The same, with whose it is. */
  take(): { readonly flow: Flow; readonly item: T } | undefined {
    const first = this.#heap[0];
    if (first === undefined) return undefined;
    const { flow, start } = first;
    const { cost, item } = this.#removeFirst(first);
    this.#virtualTime = Math.max(this.#virtualTime, start);
    flow.virtualFinish = Math.max(start, flow.virtualFinish) + cost;
    this.#reorder(first, flow.virtualFinish);
    return { flow, item };
  }

  /** Removes the next work from the queue without serving it: no flow is charged. */
  withdraw(): T | undefined {
    const first = this.#heap[0];
    if (first === undefined) return undefined;
    const { item } = this.#removeFirst(first);
    this.#reorder(first, first.start);
    return item;
  }

  /** Charges a flow for work that did not have to wait. While no work waits, all flows start again with equal credit. */
  charge(flow: Flow, cost: number): void {
    flow.virtualFinish = this.#startOf(flow) + cost;
    if (this.#size === 0) this.#virtualTime = Math.max(this.#virtualTime, flow.virtualFinish + this.#credit);
  }

  #startOf(flow: Flow): number {
    return Math.max(this.#virtualTime - this.#credit, flow.virtualFinish);
  }

  #removeFirst(first: Waiting<T>): Piece<T> {
    this.#size--;
    const piece = first.pieces[first.head]!;
    first.pieces[first.head++] = undefined;
    return piece;
  }

  /** Puts the flow that was first where its next piece, which may start at `start`, belongs. */
  #reorder(first: Waiting<T>, start: number): void {
    const { flow, pieces } = first;
    if (first.head < pieces.length) {
      // The places of what was served are let go now and then, since a backlog may never end.
      if (first.head >= MAX_SERVED) first.head -= pieces.splice(0, first.head).length;
      first.start = start;
      first.deadline = start + pieces[first.head]!.cost;
      first.sequence = this.#sequence++;
    } else {
      this.#byFlow.delete(flow);
      const last = this.#heap.pop()!;
      if (this.#heap.length === 0) return;
      this.#heap[0] = last;
    }
    this.#sink(0);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const entry = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const entry = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, entry)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }
}

function isBefore(a: Waiting<unknown>, b: Waiting<unknown>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.sequence < b.sequence);
}
