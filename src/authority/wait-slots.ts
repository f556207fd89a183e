// Limits how many calls may wait for the work of others, in total and for each caller.

export interface WaitLimits {
  readonly total: number;
  readonly perCaller: number;
}

export class WaitSlots {
  readonly #limits: WaitLimits;
  readonly #waiting = new Map<string, number>();
  #total = 0;

  constructor(limits: WaitLimits) {
    this.#limits = limits;
  }

  /** Takes a slot. Returns the function that releases it, to be called once; undefined if no slot is free. */
  enter(caller: string): (() => void) | undefined {
    const own = this.#waiting.get(caller) ?? 0;
    if (this.#total >= this.#limits.total || own >= this.#limits.perCaller) return undefined;
    this.#total++;
    this.#waiting.set(caller, own + 1);
    return () => this.#leave(caller);
  }

  #leave(caller: string): void {
    const own = (this.#waiting.get(caller) ?? 1) - 1;
    this.#total--;
    if (own === 0) this.#waiting.delete(caller);
    else this.#waiting.set(caller, own);
  }
}
