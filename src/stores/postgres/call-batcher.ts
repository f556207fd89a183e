// Batches calls into statements: calls that arrive while a statement runs, or within a pause, share the next one.

import { setTimeout as pause } from 'node:timers/promises';

/** A call without a result. */
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

  /** `run` settles each call of a group of at most `most`; if it throws, the remaining calls get the error. */
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

  /** Waits for all added calls. */
  async end(): Promise<void> {
    await this.#running;
  }

  async #runAll(): Promise<void> {
    // Waits one turn of the event loop, so that calls of the same turn are batched.
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
