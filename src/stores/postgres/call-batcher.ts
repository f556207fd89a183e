// Calls that share a statement: those that arrive while one is under way, or within a pause, go together with the next one.

import { setTimeout as pause } from 'node:timers/promises';

/** A call whose answer is open. */
export interface CallBatch<Item, Answer> {
  readonly item: Item;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export class CallBatcher<Item, Answer> {
  readonly #run: (group: readonly CallBatch<Item, Answer>[]) => Promise<void>;
  readonly #most: number;
  readonly #pauseMs: number;
  #waiting: CallBatch<Item, Answer>[] = [];
  #running: Promise<void> | undefined;

  /** `run` returns each of a group of `most` at most; what it throws is the answer of those that have none. */
  constructor(run: (group: readonly CallBatch<Item, Answer>[]) => Promise<void>, most: number, pauseMs = 0) {
    this.#run = run;
    this.#most = most;
    this.#pauseMs = pauseMs;
  }

  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#runAll();
    });
  }

  /** Waits for all that were added. */
  async end(): Promise<void> {
    await this.#running;
  }

  async #runAll(): Promise<void> {
    // At least one turn of the event loop, so that all who were woken together are gathered.
    for (await this.#rest(); this.#waiting.length > 0; await this.#rest()) {
      const group = this.#waiting.splice(0, this.#most);
      try {
        await this.#run(group);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#running = undefined;
  }

  #rest(): Promise<void> {
    return this.#pauseMs > 0 ? pause(this.#pauseMs) : new Promise((resolve) => setImmediate(resolve));
  }
}
