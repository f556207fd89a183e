// Long work that holds much memory, a few at a time: more at once would be done no sooner, and hold more.

import { type Ending, endedBy } from '../concurrency/yielder.ts';

/** Places for so many at once. Who finds none waits, first come, first served. */
export class Slots {
  readonly #atOnce: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Waits for a place, which is given back by calling what is answered. Rejects as the call ends while it waits. */
  async enter({ signal }: Ending): Promise<() => void> {
    if (this.#taken < this.#atOnce) this.#taken++;
    else await this.#untilFreed(signal);
    return () => this.#leave();
  }

  #untilFreed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(enter);
        reject(endedBy(signal));
      };
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(enter);
    });
  }

  /** The slot goes to the call that has waited longest, or becomes free. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#taken--;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}
