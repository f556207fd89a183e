// Reads and writes long messages in slices, between which the event loop serves other calls. The slices of all calls run one after
// another, like those of other long work.

import { nextSlice, throwIfEnded } from '../../concurrency/yielder.ts';

const SLICE_MS = 2;

export class TimeSlices {
  readonly #signal: AbortSignal | undefined;
  #began = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Whether other work should run now. */
  isOver(): boolean {
    return performance.now() - this.#began > SLICE_MS;
  }

  /** Lets other work run. Throws EctError if the call has ended. */
  async next(): Promise<void> {
    await nextSlice();
    throwIfEnded(this.#signal);
    this.#began = performance.now();
  }
}
