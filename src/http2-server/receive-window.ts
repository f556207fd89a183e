// What the peer may still send, on a stream or on the whole connection. Room is given back in large pieces.

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

  /** So many bytes have come. Returns whether there was room for them. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** So many bytes need no room any more. */
  creditWindow(bytes: number): void {
    this.#owed += bytes;
    if (2 * this.#owed <= this.#size) return;
    this.#writeQueue.push(windowUpdate(this.#id, this.#owed));
    this.#left += this.#owed;
    this.#owed = 0;
  }
}
