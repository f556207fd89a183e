// Signatures are made and checked in rounds: those of all calls that have come so far, one right after the other.
// A signature on the curve goes through tables that push everything else out of a core's nearest caches, so that parsing
// between two of them takes three times as long as parsing after parsing.

/** What somebody wants, cut at its signature: begun already, and to be finished when its signature has been settled. */
export interface Cut<T> {
  /** Whether there is a signature to make or to check. */
  readonly owesSignature: boolean;
  /** Makes or checks it; of a signature that is made elsewhere only the order leaves. What throws here is not finished. */
  settle(): void;
  finish(): T | Promise<T>;
}

/** The same, and what is made of it. */
export function andThen<T, U>(cut: Cut<T>, next: (result: T) => U | Promise<U>): Cut<U> {
  return new Continued(cut, next);
}

class Continued<T, U> implements Cut<U> {
  readonly #cut: Cut<T>;
  readonly #next: (result: T) => U | Promise<U>;

  constructor(cut: Cut<T>, next: (result: T) => U | Promise<U>) {
    this.#cut = cut;
    this.#next = next;
  }

  get owesSignature(): boolean {
    return this.#cut.owesSignature;
  }

  settle(): void {
    this.#cut.settle();
  }

  finish(): U | Promise<U> {
    const result = this.#cut.finish();
    return result instanceof Promise ? result.then(this.#next) : this.#next(result);
  }
}

/** Signatures in one round: nothing else is done for some 2 ms. */
const ROUND = 32;

interface Place {
  readonly cut: Cut<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (thrown: unknown) => void;
}

export class Rounds {
  #line: Place[] = [];
  readonly #begin = () => this.#run();

  /**
   * Finishes something; its signature is settled in the next round. A round is run when it is full, and at the latest when
   * this turn of the event loop has read what there was to be read.
   */
  finish<T>(cut: Cut<T>): T | Promise<T> {
    if (!cut.owesSignature) return cut.finish();
    return new Promise<T>((resolve, reject) => {
      this.#line.push({ cut, resolve, reject });
      if (this.#line.length === 1) setImmediate(this.#begin);
      else if (this.#line.length === ROUND) this.#run();
    });
  }

  #run(): void {
    const line = this.#line;
    this.#line = [];
    const settled: Place[] = [];
    for (const place of line) {
      try {
        place.cut.settle();
        settled.push(place);
      } catch (thrown) {
        place.reject(thrown);
      }
    }
    for (const { cut, resolve, reject } of settled) {
      try {
        resolve(cut.finish() as never);
      } catch (thrown) {
        reject(thrown);
      }
    }
  }
}
