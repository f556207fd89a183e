// Keeps a long computation from holding the event loop: it runs in slices, and other calls are served between them.

import { setImmediate } from 'node:timers/promises';

/** Steps of one slice. A step is one link of the graph, below a microsecond; so a slice stays within some milliseconds. */
export const STEPS_PER_SLICE = 10_000;
/** What it costs to look a name up, in steps: a seek and a leaf to be read. */
export const STEPS_PER_NAME = 40;

export interface Pace {
  /** Counts steps, one where it is not said. True when the slice is used up: then `rest` is due. */
  step(cost?: number): boolean;
  /** Lets everything else that waits run once, and starts the next slice. */
  rest(): Promise<void>;
}

export function createPace(): Pace {
  let left = STEPS_PER_SLICE;
  return {
    step(cost = 1) {
      left -= cost;
      return left <= 0;
    },
    async rest() {
      await setImmediate();
      left = STEPS_PER_SLICE;
    },
  };
}
