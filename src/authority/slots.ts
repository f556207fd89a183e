// Limits how many pieces of work that need much memory run at the same time.

import { type Ending, endedBy } from '../concurrency/yielder.ts';

/** A semaphore of a fixed size. Calls that find no free slot wait, first come, first served. */
export class Slots {
  readonly #atOnce: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Waits for a slot. Returns the function that releases it. Rejects if the call ends while it waits. */
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
