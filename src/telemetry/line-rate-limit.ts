// Lines that a peer could cause as often as it likes: one in a while, with how many were left out.

export class LineRateLimit {
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

/** Lines of which each says something of its own: so many a second, and how many were left out before the next one. */
export class LineRate {
  readonly #perSecond: number;
  readonly #nowMs: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #written = 0;
  #leftOut = 0;

  constructor(perSecond: number, nowMs: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#nowMs = nowMs;
  }

  /** How many were left out since the last one; undefined: this one is left out. */
  next(): number | undefined {
    const now = this.#nowMs();
    if (now - this.#sinceMs >= 1_000) [this.#sinceMs, this.#written] = [now, 0];
    if (this.#written >= this.#perSecond) {
      this.#leftOut++;
      return undefined;
    }
    this.#written++;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut;
  }
}
