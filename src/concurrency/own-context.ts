// The async context (`AsyncLocalStorage`) of a call, kept for work that a queue begins later. A queue runs in the context of another
// call: the one that made it go on.

import { AsyncResource } from 'node:async_hooks';

/** `runInAsyncScope` runs work in the context in which this was made. */
export class OwnContext extends AsyncResource {
  /** Some 30 ns; `AsyncLocalStorage.snapshot()` takes 1.9 µs. */
  constructor() {
    super('OwnContext', { requireManualDestroy: true });
  }
}
