// How long ago something in the ledger was, measured. A date in an entry may have been made by a clock that was wrong, and the
// clock that it is compared with may be: a difference of two dates can be made or undone by a jump. So a date is compared once,
// when it is first asked about, and from then on the time is measured that passes here.

export class Elapsed {
  readonly #steadyMs: () => number;
  /** When it was, by the clock that measures. */
  readonly #beganMs = new Map<string, number>();

  /** `steadyMs` is a clock that nobody sets. */
  constructor(steadyMs: () => number) {
    this.#steadyMs = steadyMs;
  }

  /**
   * Milliseconds since what happened at `atMs`; `nowMs` is the time of day. What seems to lie ahead has happened just now, or
   * when it was first asked about.
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
