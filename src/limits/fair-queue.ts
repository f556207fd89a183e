// Start-time fair queueing: work that waits is served by the flow that has had the least, so that a light flow never waits
// for the backlog of a heavy one, however many pieces or connections the heavy one has.

/** Whose work it is. The queue keeps the flow's place in it. */
export interface Flow {
  /** Virtual time at which the flow's last piece of work ends. Starts at 0. */
  virtualFinish: number;
}

interface Entry<T> {
  readonly flow: Flow;
  readonly start: number;
  readonly sequence: number;
  readonly item: T;
}

export class FairQueue<T> {
  /** A binary heap by virtual start, then by arrival. */
  readonly #heap: Entry<T>[] = [];
  #virtualTime = 0;
  #sequence = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Adds work of `cost` (any positive unit, the same for all). A flow that has been idle goes before those that have not. */
  push(flow: Flow, cost: number, item: T): void {
    const start = Math.max(this.#virtualTime, flow.virtualFinish);
    flow.virtualFinish = start + cost;
    this.#heap.push({ flow, start, sequence: this.#sequence++, item });
    this.#rise(this.#heap.length - 1);
  }

  /** Takes the work whose turn it is. */
  pop(): T | undefined {
    return this.take()?.item;
  }

  /** The same, with whose it is. */
  take(): { readonly flow: Flow; readonly item: T } | undefined {
    const first = this.#heap[0];
    if (first === undefined) return undefined;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    this.#virtualTime = first.start;
    return first;
  }

  /** Charges a flow for work that did not have to wait. */
  charge(flow: Flow, cost: number): void {
    flow.virtualFinish = Math.max(this.#virtualTime, flow.virtualFinish) + cost;
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

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.start < b.start || (a.start === b.start && a.sequence < b.sequence);
}
