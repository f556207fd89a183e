// A rate limit: a burst and a refill rate.

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #left: number;
  #sinceMs: number;

  /** `nowMs` is the time of a monotonic clock, here and below. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#sinceMs = nowMs;
  }

  /** Takes `cost` if the bucket has that much. Returns whether it had. */
  take(nowMs: number, cost = 1): boolean {
    this.#refill(nowMs);
    if (this.#left < cost) return false;
    this.#left -= cost;
    return true;
  }

  /** The time until `cost` can be taken, in milliseconds. */
  waitMs(nowMs: number, cost = 1): number {
    this.#refill(nowMs);
    return Math.max(0, ((cost - this.#left) / this.#rate.perSecond) * 1000);
  }

  /** Whether the bucket is full. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#left >= this.#rate.burst;
  }

  /** Takes `cost` after the work. The bucket may become negative. */
  charge(nowMs: number, cost: number): void {
    this.#refill(nowMs);
    this.#left -= cost;
  }

  #refill(nowMs: number): void {
    const { burst, perSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#sinceMs) / 1000) * perSecond);
    this.#sinceMs = nowMs;
  }
}
