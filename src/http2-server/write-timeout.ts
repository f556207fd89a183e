// Looks now and then for what does not get on. While there is nothing to watch it holds no timer.

/** How often, in milliseconds. */
const SWEEP_MS = 5_000;

export class WriteTimeout {
  readonly #sweep: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** `sweep` looks once. Returns whether there is still something to watch. */
  constructor(sweep: () => boolean) {
    this.#sweep = sweep;
  }

  /** There is something to watch. */
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
