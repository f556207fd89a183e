// Limits lines that a peer could cause at will: one in each interval, with the number of omitted lines.

export class LineRateLimit {
  readonly #pauseMs: number;
  readonly #nowMs: () => number;
  #lastMs = Number.NEGATIVE_INFINITY;
  #leftOut = 0;

  constructor(pauseMs: number, nowMs: () => number = () => performance.now()) {
    this.#pauseMs = pauseMs;
    this.#nowMs = nowMs;
  }

  /** Returns how many lines were omitted since the last one; undefined if this line must be omitted. */
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

/** Limits lines of which each has its own information: a number per second, then the number of omitted lines. */
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

  /** Returns how many lines were omitted since the last one; undefined if this line must be omitted. */
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
