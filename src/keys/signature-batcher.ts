// Makes and checks signatures one right after the other. A signature on the curve goes through tables that push everything else out of
// the nearest cache of a core, so parsing between two of them takes three times as long as parsing after parsing.

import { OwnContext } from '../concurrency/own-context.ts';

interface Pending {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (thrown: unknown) => void;
  /** The async context of the call whose signature it is. */
  readonly context: OwnContext;
}

/** The signatures of all calls, and of the items of their batches. */
export class SignatureBatcher {
  #pending: Pending[] = [];
  readonly #run = () => this.#runPending();

  /**
   * Makes or checks one signature as soon as everything that runs now has come to its own signature, or waits for something else:
   * the calls that were read together, or the items of a batch that were begun together. `work` may throw, or answer a promise.
   */
  add<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const context = new OwnContext();
      const waiting = this.#pending.push({ work, resolve, reject, context });
      if (waiting === 1) queueMicrotask(this.#run);
    });
  }

  #runPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const { work, resolve, reject, context } of pending) {
      try {
        // What waits for the result goes on when all of these are done.
        resolve(context.runInAsyncScope(work) as never);
      } catch (thrown) {
        reject(thrown);
      }
    }
  }
}
