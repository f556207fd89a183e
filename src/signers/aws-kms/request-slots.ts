// The requests to KMS that may be open at once, shared by callers: one that has less than its share gets the next free slot, so that
// another with any number of calls does not have them fail.

/** A caller with fewer requests has less than its share, however many callers there are. */
const FEW = 4;
const MAX_WAITING = 256;

interface Waiting {
  readonly start: () => void;
}

export class RequestSlots {
  readonly #max: number;
  readonly #maxWaitMs: number;
  #open = 0;
  /** The requests of each caller that are open or wait: no more entries than these. */
  readonly #own = new Map<string, number>();
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>();

  constructor(max: number, maxWaitMs: number) {
    this.#max = max;
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * Takes a slot for a caller, which must leave it. Waits for one only if the caller has less than its share, and not for long. Returns
   * whether it has one.
   */
  async enter(caller: string, signal: AbortSignal): Promise<boolean> {
    const own = this.#own.get(caller) ?? 0;
    if (this.#open < this.#max) {
      this.#open++;
      this.#own.set(caller, own + 1);
      return true;
    }
    const hasShare = own >= Math.max(FEW, this.#max / this.#own.size) || own >= this.#max;
    if (hasShare || this.#waiting.size >= MAX_WAITING) return false;
    this.#own.set(caller, own + 1);
    const isFree = await this.#wait(signal);
    if (!isFree) this.#forget(caller);
    return isFree;
  }

  leave(caller: string): void {
    this.#forget(caller);
    const [next] = this.#waiting;
    if (next === undefined) this.#open--;
    else next.start();
  }

  #wait(signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const end = (isFree: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      this.#waiting.delete(waiting);
      resolve(isFree);
    };
    const giveUp = () => end(false);
    const waiting = { start: () => end(true) };
    const timer = setTimeout(giveUp, this.#maxWaitMs);
    signal.addEventListener('abort', giveUp);
    this.#waiting.add(waiting);
    return promise;
  }

  #forget(caller: string): void {
    const own = this.#own.get(caller)! - 1;
    if (own === 0) this.#own.delete(caller);
    else this.#own.set(caller, own);
  }
}
