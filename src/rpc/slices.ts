// Long work in slices, between which the event loop serves other calls.

import { setImmediate } from 'node:timers/promises';
import { EctError, refuse } from '../errors.ts';

const SLICE_MS = 5;

export class Slices {
  readonly #signal: AbortSignal | undefined;
  #began = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Whether it is time to let others run. */
  isOver(): boolean {
    return performance.now() - this.#began > SLICE_MS;
  }

  /** Lets others run. Throws EctError where nobody waits for the work any more. */
  async next(): Promise<void> {
    await setImmediate();
    if (this.#signal?.aborted === true) throw reasonOf(this.#signal);
    this.#began = performance.now();
  }
}

function reasonOf({ reason }: AbortSignal): EctError {
  if (reason instanceof EctError) return reason;
  return new EctError(refuse('CALL_CANCELLED', 'the caller has gone'));
}
