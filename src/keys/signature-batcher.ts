// Computes signatures directly one after another. A signature on the curve uses tables that replace everything else in the first-level
// cache of a core, so parsing between two of them takes three times as long as parsing after parsing.

/** The signatures of all calls, and of the items of their batches. */
export class SignatureBatcher {
  /** Waiting work continues in the order of the calls, each in its own async context, and what follows it runs after all of it. */
  readonly #now = Promise.resolve();

  /**
   * Signs or verifies as soon as all running work has reached its own signature or waits for something else: calls that were read
   * together, or items of a batch that were started together. `work` may throw, or return a promise.
   */
  add<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#now.then(work);
  }
}
