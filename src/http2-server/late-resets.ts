// Delays the resets of streams whose response was sent before their request was complete (RFC 9113, section 8.1). Some clients drop a
// response that is followed by a reset at once, though they have read it. A request that ends during the delay needs no reset.

import { ErrorCode } from './connection-error.ts';
import { resetFrame } from './frames.ts';
import type { WriteQueue } from './write-queue.ts';

/** The number of delayed resets; beyond it the oldest are sent at once. */
const MAX_WAITING = 256;

export class LateResets {
  readonly #writeQueue: WriteQueue;
  readonly #delayMs: number;
  readonly #now: () => number;
  /** The streams, each with the time of its response, oldest first. */
  readonly #answeredAt = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(writeQueue: WriteQueue, delayMs: number, now: () => number) {
    this.#writeQueue = writeQueue;
    this.#delayMs = delayMs;
    this.#now = now;
  }

  /** Adds a stream with a response whose request is incomplete. */
  add(id: number): void {
    this.#answeredAt.set(id, this.#now());
    if (this.#answeredAt.size > MAX_WAITING) this.#reset(this.#answeredAt.keys().next().value!);
    this.#timer ??= setTimeout(() => this.#onTime(), this.#delayMs).unref();
  }

  /** The request of this stream is complete, or the peer has reset it. */
  forget(id: number): void {
    this.#answeredAt.delete(id);
  }

  /** Sends all delayed resets. */
  flush(): void {
    for (const id of this.#answeredAt.keys()) this.#reset(id);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #onTime(): void {
    const now = this.#now();
    for (const [id, answeredAt] of this.#answeredAt) {
      const waitMs = answeredAt + this.#delayMs - now;
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#onTime(), Math.ceil(waitMs)).unref();
        return;
      }
      this.#reset(id);
    }
    this.#timer = undefined;
  }

  #reset(id: number): void {
    this.#answeredAt.delete(id);
    this.#writeQueue.push(resetFrame(id, ErrorCode.NO_ERROR));
  }
}
