// Makes and checks signatures one right after the other. A signature on the curve goes through tables that push everything else out of
// the nearest cache of a core, so parsing between two of them takes three times as long as parsing after parsing.

/** The signatures of all calls, and of the items of their batches. */
export class SignatureBatcher {
  /** What waits for it goes on in the order of asking, each in its own async context, and what follows from that comes after all of it. */
  readonly #now = Promise.resolve();

  /**
   * Makes or checks one signature as soon as everything that runs now has come to its own signature, or waits for something else:
   * the calls that were read together, or the items of a batch that were begun together. `work` may throw, or answer a promise.
   */
  add<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#now.then(work);
  }
}
