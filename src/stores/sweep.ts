// Deletes expired rows in small steps, also without calls.

/** The interval of steps. */
const INTERVAL_MS = 1_000;
/** The pause between two steps while there is more to do. */
const NEXT_STEP_MS = 100;

export interface SweepOptions {
  /** One step at this time, in seconds. Returns whether there is more to do. */
  readonly step: (now: number) => Promise<boolean>;
  /** The earliest plausible time, in seconds; undefined: the time of the last call. */
  readonly earliest: (() => number) | undefined;
}

export class Sweep {
  readonly #options: SweepOptions;
  /** The time of the last call, for a sweep without a clock of its own. */
  #lastNow = Number.NEGATIVE_INFINITY;
  #lastNowAtMs = 0;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** Starts at once. */
  constructor(options: SweepOptions) {
    this.#options = options;
    this.#stepIn(INTERVAL_MS);
  }

  /** Records the time of a call, in seconds. */
  noteTime(now: number): void {
    this.#lastNow = now;
    this.#lastNowAtMs = performance.now();
  }

  /** Resolves after the running step. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #stepIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#options.step(this.#now()).then(
        (hasMore) => this.#stepAgain(hasMore ? NEXT_STEP_MS : INTERVAL_MS),
        // The next write reports a lasting failure. The deletion can wait.
        () => this.#stepAgain(INTERVAL_MS),
      );
    }, pauseMs);
    this.#timer.unref();
  }

  #stepAgain(pauseMs: number): void {
    if (!this.#isStopped) this.#stepIn(pauseMs);
  }

  #now(): number {
    return this.#options.earliest?.() ?? Math.floor(this.#lastNow + (performance.now() - this.#lastNowAtMs) / 1000);
  }
}
