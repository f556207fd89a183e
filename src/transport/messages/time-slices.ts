// The reading and writing of long messages in slices, between which the event loop serves other calls. Slices of all calls follow
// each other, as those of other long work do: many at once would hold the loop together as one would alone.

import { nextSlice, throwIfEnded } from '../../concurrency/yielder.ts';

const SLICE_MS = 2;

export class TimeSlices {
  readonly #signal: AbortSignal | undefined;
  #began = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Whether it is time to let others run. */
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
