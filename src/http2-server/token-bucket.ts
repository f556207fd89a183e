// Limits how often a peer may do something: a burst and a refill rate. Useful work refills it further.

/** The burst, and what is added each second up to the burst. */
export interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

export class TokenBucket {
  readonly #allowance: Allowance;
  readonly #now: () => number;
  #left: number;
  #since: number;

  /** `now` is a clock in milliseconds. */
  constructor(allowance: Allowance, now: () => number) {
    this.#allowance = allowance;
    this.#now = now;
    this.#left = allowance.burst;
    this.#since = now();
  }

  /** Takes tokens. Returns whether there were enough. */
  spend(cost = 1): boolean {
    const time = this.#now();
    this.earn(((time - this.#since) / 1000) * this.#allowance.perSecond);
    this.#since = time;
    this.#left -= cost;
    return this.#left >= 0;
  }

  /** Adds tokens. The bucket never exceeds the burst. */
  earn(amount: number): void {
    this.#left = Math.min(this.#left + amount, this.#allowance.burst);
  }
}
