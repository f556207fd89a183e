// When bytes that a connection brought are parsed. One turn of the event loop gives a few milliseconds to parsing; what is left
// waits in a fair queue, so that a connection that floods the service does not delay those that do not.

import { FairQueue, type Flow } from './fair-queue.ts';

/** What one turn of the event loop gives to parsing, in milliseconds. */
const TURN_MS = 4;

export class ReadScheduler {
  readonly #now: () => number;
  readonly #queue = new FairQueue<() => void>();
  #turnBegan: number | undefined;
  #isRunning = false;
  readonly #endTurn = () => {
    this.#turnBegan = undefined;
    this.#runQueue();
  };

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether bytes may be parsed now. While others wait, new ones wait too. */
  get hasTime(): boolean {
    return (this.#isRunning || this.#queue.size === 0) && this.#spentMs() <= TURN_MS;
  }

  /** Goes on in a later turn. */
  defer(flow: Flow, goOn: () => void): void {
    this.#queue.push(flow, 1, goOn);
    this.#spentMs();
  }

  #spentMs(): number {
    const time = this.#now();
    if (this.#turnBegan === undefined) {
      this.#turnBegan = time;
      setImmediate(this.#endTurn);
    }
    return time - this.#turnBegan;
  }

  #runQueue(): void {
    this.#isRunning = true;
    while (this.#queue.size > 0 && this.#spentMs() <= TURN_MS) this.#queue.pop()!();
    this.#isRunning = false;
  }
}
