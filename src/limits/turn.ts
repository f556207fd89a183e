// One turn of the event loop, and what those who share it have taken of it so far.

export class Turn {
  readonly #now: () => number;
  readonly #onEnd: () => void;
  #began: number | undefined;
  readonly #end = () => {
    this.#began = undefined;
    this.#onEnd();
  };

  /** `onEnd` is called after each turn in which somebody asked, when it has read everything that was there to be read. */
  constructor(onEnd: () => void, now: () => number = () => performance.now()) {
    this.#onEnd = onEnd;
    this.#now = now;
  }

  /** Since somebody asked first in this turn, in milliseconds. */
  spentMs(): number {
    const time = this.#now();
    if (this.#began === undefined) {
      this.#began = time;
      setImmediate(this.#end);
    }
    return time - this.#began;
  }
}
