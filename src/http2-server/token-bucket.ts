// How much of something a peer may do: a burst, and then so much a second. What it does well gives it more.

/** A burst, and what is added to it each second until it is full again. */
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

  /** Takes so much. Returns whether the peer could still afford it. */
  spend(cost = 1): boolean {
    const time = this.#now();
    this.earn(((time - this.#since) / 1000) * this.#allowance.perSecond);
    this.#since = time;
    this.#left -= cost;
    return this.#left >= 0;
  }

  /** Returns some tokens. The bucket never exceeds the burst. */
  earn(amount: number): void {
    this.#left = Math.min(this.#left + amount, this.#allowance.burst);
  }
}
