// Measures one turn of the event loop.

export class Turn {
  readonly #now: () => number;
  readonly #onEnd: (spentMs: number) => void;
  #began: number | undefined;
  readonly #end = () => {
    const spentMs = this.spentMs();
    this.#began = undefined;
    this.#onEnd(spentMs);
  };

  /** `onEnd` is called after the poll phase of each turn in which `spentMs` was called, with what it would return then. */
  constructor(onEnd: (spentMs: number) => void, now: () => number = () => performance.now()) {
    this.#onEnd = onEnd;
    this.#now = now;
  }

  /** Milliseconds since the first call of this function in this turn. */
  spentMs(): number {
    const time = this.#now();
    if (this.#began === undefined) {
      this.#began = time;
      setImmediate(this.#end);
    }
    return time - this.#began;
  }
}
