// The receive window of a stream or of the connection. WINDOW_UPDATE frames credit it in large steps.

import { windowUpdate } from './frames.ts';
import type { WriteQueue } from './write-queue.ts';

export class ReceiveWindow {
  readonly #writeQueue: WriteQueue;
  readonly #id: number;
  readonly #size: number;
  #left: number;
  #owed = 0;

  /** `id` is the stream, 0 for the connection. */
  constructor(writeQueue: WriteQueue, id: number, size: number) {
    this.#writeQueue = writeQueue;
    this.#id = id;
    this.#size = size;
    this.#left = size;
  }

  /** Takes received bytes from the window. Returns whether they fit. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** Credits bytes that were processed. */
  creditWindow(bytes: number): void {
    this.#owed += bytes;
    if (2 * this.#owed <= this.#size) return;
    this.#writeQueue.push(windowUpdate(this.#id, this.#owed));
    this.#left += this.#owed;
    this.#owed = 0;
  }
}
