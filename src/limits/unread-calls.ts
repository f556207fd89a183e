// Calls with incomplete requests. They need no CPU and little memory, so they are limited by number and age, not by the cost of the
// complete call.

export interface UnreadCall {
  /** Ends the call. `late`: its request took too long; `evicted`: it was the oldest of too many. */
  giveUp(why: 'late' | 'evicted'): void;
}

export interface UnreadLimits {
  readonly maxCalls: number;
  /** From the headers to the last byte of the request. */
  readonly maxMs: number;
}

/** How often the ages are checked. */
const SWEEP_MS = 500;

export class UnreadCalls {
  readonly #limits: UnreadLimits;
  readonly #now: () => number;
  /** Oldest first. */
  readonly #calls = new Map<UnreadCall, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: UnreadLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Adds a call whose request has started to arrive. If there are too many, the oldest one ends. */
  add(call: UnreadCall): void {
    this.#calls.set(call, this.#now());
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    if (this.#calls.size <= this.#limits.maxCalls) return;
    const [oldest] = this.#calls.keys();
    this.#giveUp(oldest!, 'evicted');
  }

  /** The request is complete, or the call has ended. */
  delete(call: UnreadCall): void {
    if (this.#calls.size > 0) this.#calls.delete(call);
  }

  #giveUp(call: UnreadCall, why: 'late' | 'evicted'): void {
    this.#calls.delete(call);
    call.giveUp(why);
  }

  #sweep(): void {
    const before = this.#now() - this.#limits.maxMs;
    for (const [call, since] of this.#calls) {
      if (since > before) break;
      this.#giveUp(call, 'late');
    }
    if (this.#calls.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
