// Buffers the body of a request until it is complete. A large part that arrived in one frame is not copied; smaller parts are, so that
// they do not keep the whole read buffer in memory.

import type { Stream } from './stream.ts';

/**
 * The size of the blocks for copies: as large as all bytes so far, within these limits, so that no byte is copied twice before the end.
 */
const SMALLEST_BLOCK_BYTES = 1024;
const LARGEST_BLOCK_BYTES = 64 * 1024;
/** A part of at least this size is kept without a copy: a read buffer has 64 KiB, about twenty times as much. */
const LARGE_BYTES = 3 * 1024;

export class Body {
  readonly #stream: Stream;
  /** Full blocks, and the one that is being filled. */
  readonly #blocks: Buffer[] = [];
  #block: Buffer = EMPTY;
  #blockLength = 0;
  #length = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get length(): number {
    return this.#length;
  }

  /** The first bytes so far: at least 1 KiB, or all. */
  get head(): Buffer {
    return this.#blocks[0] ?? this.#block.subarray(0, this.#blockLength);
  }

  /** Adds a part. Returns whether there is room for it. */
  add(part: Buffer): boolean {
    if (this.#length === 0 && this.#stream.remoteEnded) {
      if (part.length >= LARGE_BYTES && !this.#stream.reserveBody(part.length)) return false;
      this.#block = part.length < LARGE_BYTES ? Buffer.from(part) : part;
      this.#blockLength = this.#length = part.length;
    } else if (!this.#copy(part)) return false;
    this.#stream.consumed(part.length);
    return true;
  }

  /** Returns the bytes so far, and keeps none of them: a message that has been read must not stay in memory beside its bytes. */
  take(): Buffer {
    const last = this.#block.subarray(0, this.#blockLength);
    const whole = this.#blocks.length === 0 ? last : Buffer.concat([...this.#blocks, last], this.#length);
    this.#blocks.length = 0;
    this.#block = EMPTY;
    this.#blockLength = 0;
    return whole;
  }

  #copy(part: Buffer): boolean {
    for (let at = 0; at < part.length; ) {
      if (this.#blockLength === this.#block.length && !this.#addBlock(part.length - at)) return false;
      const copied = part.copy(this.#block, this.#blockLength, at);
      this.#blockLength += copied;
      this.#length += copied;
      at += copied;
    }
    return true;
  }

  #addBlock(wanted: number): boolean {
    const most = Math.max(this.#length, wanted, SMALLEST_BLOCK_BYTES);
    const size = Math.min(most, LARGEST_BLOCK_BYTES);
    if (!this.#stream.reserveBody(size)) return false;
    if (this.#blockLength > 0) this.#blocks.push(this.#block);
    this.#block = Buffer.allocUnsafeSlow(size);
    this.#blockLength = 0;
    return true;
  }
}

const EMPTY = Buffer.alloc(0);
