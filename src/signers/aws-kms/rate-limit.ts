// Limits the calls to one region: in no second are there more than the quota permits.

/** A tenth of the quota may be used at once; the rest is spread evenly. */
const BURST_SHARE = 0.1;

/** The part of the longest wait that is planned with: sums of times are rounded. */
const PLANNED = 0.99;

/** A token bucket that returns starting times. Times are monotonic, in milliseconds. */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  readonly #maxWaitMs: number;
  /** When the next call would start if all calls were evenly spread. */
  #nextMs = Number.NEGATIVE_INFINITY;

  /** `maxWaitMs`: the longest wait of a call. */
  constructor(callsPerSecond: number, maxWaitMs: number) {
    const burst = Math.max(1, Math.floor(callsPerSecond * BURST_SHARE));
    this.#intervalMs = 1000 / Math.max(callsPerSecond - burst, callsPerSecond / 2);
    this.#toleranceMs = (burst - 1) * this.#intervalMs;
    this.#maxWaitMs = maxWaitMs;
  }

  /** How many calls may have begun and not ended, so that each still finds a turn within the longest wait. */
  get calls(): number {
    return Math.max(1, Math.floor((PLANNED * this.#maxWaitMs) / this.#intervalMs));
  }

  /** The wait before the call, in milliseconds; undefined: it would be too long, and nothing is taken. */
  take(nowMs: number): number | undefined {
    const next = Math.max(this.#nextMs, nowMs);
    const waitMs = Math.max(0, next - this.#toleranceMs - nowMs);
    if (waitMs > this.#maxWaitMs) return undefined;
    this.#nextMs = next + this.#intervalMs;
    return waitMs;
  }
}
