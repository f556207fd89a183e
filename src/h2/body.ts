// The body of a request that is kept until it is complete. A large one that came in one frame is used where it lies;
// anything else is copied, so that a small body never keeps all that was read with it.

import type { Stream } from './stream.ts';

const SMALLEST_BYTES = 1024;
/** A part of at least this size keeps no more than some twenty times its size, since reads are of 64 KiB. */
const LARGE_BYTES = 3 * 1024;

export class Body {
  readonly #stream: Stream;
  #bytes: Buffer = EMPTY;
  #length = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a part. Answers whether the connection has room for it. */
  add(part: Buffer): boolean {
    if (this.#length === 0 && this.#stream.remoteEnded) {
      this.#bytes = part.length < LARGE_BYTES ? Buffer.from(part) : part;
      this.#length = part.length;
      this.#stream.consumed(part.length);
      return true;
    }
    const length = this.#length + part.length;
    if (length > this.#bytes.length) {
      const capacity = Math.max(SMALLEST_BYTES, 2 * this.#bytes.length, length);
      if (!this.#stream.hold(capacity - this.#bytes.length)) return false;
      const larger = Buffer.allocUnsafeSlow(capacity);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    part.copy(this.#bytes, this.#length);
    this.#length = length;
    this.#stream.consumed(part.length);
    return true;
  }

  /** What has come so far. */
  read(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

const EMPTY = Buffer.alloc(0);
