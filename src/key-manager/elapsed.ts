// Measures the time since an entry of the ledger. The clock that dated the entry may have been wrong, and so may the current clock, so a
// jump of either changes the difference of two dates. Therefore a date is compared with the clock once, at its first use, and after that
// the elapsed time is measured.

export class Elapsed {
  readonly #steadyMs: () => number;
  /** The time by the monotonic clock. */
  readonly #beganMs = new Map<string, number>();

  /** `steadyMs` is a monotonic clock. */
  constructor(steadyMs: () => number) {
    this.#steadyMs = steadyMs;
  }

  /**
   * Milliseconds since `atMs`; `nowMs` is the time of day. A time in the future counts as the time of its first use.
   */
  since(what: string, atMs: number, nowMs: number): number {
    const steadyMs = this.#steadyMs();
    let beganMs = this.#beganMs.get(what);
    if (beganMs === undefined) {
      beganMs = steadyMs - Math.max(0, nowMs - atMs);
      this.#beganMs.set(what, beganMs);
    }
    return steadyMs - beganMs;
  }

  forget(what: string): void {
    this.#beganMs.delete(what);
  }
}
