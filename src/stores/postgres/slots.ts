// A semaphore of a fixed size: calls that find no free slot wait, first come, first served, until their deadline.

import { answeredBy } from '../../concurrency/call-deadline.ts';

export class Slots {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Takes a slot, which must be released. Throws the error of `late` if none is free until `atMs`. */
  async take(atMs: number, late: () => unknown): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const giveUp = () => {
      this.#waiting.delete(resolve);
      return late();
    };
    await answeredBy(atMs, promise, giveUp);
  }

  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
