// Checks at intervals for writes without progress. It has no timer while there is nothing to watch.

/** The interval, in milliseconds. */
const SWEEP_MS = 5_000;

export class WriteTimeout {
  readonly #sweep: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** `sweep` checks once. Returns whether there is still something to watch. */
  constructor(sweep: () => boolean) {
    this.#sweep = sweep;
  }

  /** Starts the timer, if it is not running. */
  start(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#sweep()) this.start();
    }, SWEEP_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
