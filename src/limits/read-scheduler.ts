// When bytes that a connection brought are parsed, and when other work that peers cause at will is done. One turn of the event
// loop gives a few milliseconds to it; what is left waits in a fair queue, so that who floods the service does not delay others.

import { FairQueue, type Flow } from './fair-queue.ts';

/** What one turn of the event loop gives, in milliseconds. */
const TURN_MS = 4;
/** What one connection takes of it before the others are asked. */
const SLICE_MS = 1;
/** Deferred pieces of work that one turn does at most. */
const MAX_RUN = 8;

export class ReadScheduler {
  readonly #now: () => number;
  readonly #queue = new FairQueue<() => void>();
  #turnBegan: number | undefined;
  #sliceBegan = 0;
  #isRunning = false;
  readonly #endTurn = () => {
    this.#turnBegan = undefined;
    this.#runQueue();
  };

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a slice may begin now. While others wait, new work waits too. */
  begin(): boolean {
    if (!this.#isRunning && this.#queue.size > 0) return false;
    const spent = this.#spentMs();
    this.#sliceBegan = this.#turnBegan! + spent;
    return spent <= TURN_MS;
  }

  /** Whether the slice that has begun may go on. */
  get goesOn(): boolean {
    const time = this.#now();
    return time - this.#sliceBegan <= SLICE_MS && this.#spentMs() <= TURN_MS;
  }

  /** The slice is over: its flow pays for the time. */
  end(flow: Flow): void {
    this.#queue.charge(flow, this.#now() - this.#sliceBegan);
  }

  /** Runs something in a later turn. */
  defer(flow: Flow, run: () => void): void {
    // What it will take is not known yet: a slice, until its end says better.
    this.#queue.push(flow, SLICE_MS, run);
    this.#spentMs();
  }

  /** Runs something now if there is time, or else in a later turn. */
  run(flow: Flow, work: () => void): void {
    if (!this.begin()) {
      this.defer(flow, work);
      return;
    }
    work();
    this.end(flow);
  }

  #spentMs(): number {
    const time = this.#now();
    if (this.#turnBegan === undefined) {
      this.#turnBegan = time;
      setImmediate(this.#endTurn);
    }
    return time - this.#turnBegan;
  }

  /** A few pieces of work for each turn: what they have promised to do later runs when it ends, and nobody can foresee it. */
  #runQueue(): void {
    this.#isRunning = true;
    for (let ran = 0; ran < MAX_RUN && this.#queue.size > 0 && this.#spentMs() <= TURN_MS; ran++) {
      const { flow, item } = this.#queue.take()!;
      this.#sliceBegan = this.#now();
      item();
      this.#queue.charge(flow, this.#now() - this.#sliceBegan - SLICE_MS);
    }
    this.#isRunning = false;
    if (this.#queue.size > 0) this.#spentMs();
  }
}
