// Lines that a peer could cause as often as it likes: one in a while, with how many were left out.

export class Seldom {
  readonly #pauseMs: number;
  readonly #nowMs: () => number;
  #lastMs = Number.NEGATIVE_INFINITY;
  #leftOut = 0;

  constructor(pauseMs: number, nowMs: () => number = () => performance.now()) {
    this.#pauseMs = pauseMs;
    this.#nowMs = nowMs;
  }

  /** How many were left out since the last one, where it is time for another; undefined: it is left out. */
  next(): number | undefined {
    if (this.#nowMs() - this.#lastMs < this.#pauseMs) {
      this.#leftOut++;
      return undefined;
    }
    this.#lastMs = this.#nowMs();
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut;
  }
}
