// Received bytes that wait, in one block. A peer chooses how large the pieces are in which its bytes arrive: over TLS each record is one,
// and one may have a single byte. Appending costs as much as the piece, not as much as what waits already.

import { ownChunk, releaseChunk } from './released-memory.ts';

/** The smallest block that is allocated for more than one piece. */
const LEAST_BYTES = 64;
/** A larger block has memory of its own, which is released when its bytes have been parsed. */
const POOLED_BYTES = 4 * 1024;

export class ByteBlock {
  #block: Buffer = NOTHING;
  #length = 0;
  /** Whether the block is the only piece so far, which belongs to somebody else. */
  #isBorrowed = false;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far; valid until the next change. */
  get bytes(): Buffer {
    return this.#block.subarray(0, this.#length);
  }

  /** Keeps a chunk of a socket: the first one as it is; others are copied, and released if they are large. */
  add(chunk: Buffer): void {
    if (this.#length === 0) {
      this.borrow(chunk);
      return;
    }
    this.append(chunk);
    releaseChunk(chunk);
  }

  /** Keeps the first piece as it is, without a copy. If it is in a large chunk, that is released when the piece has been copied. */
  borrow(piece: Buffer): void {
    this.#block = piece;
    this.#length = piece.length;
    this.#isBorrowed = true;
  }

  /** Copies the piece from `start` to `end` behind the bytes so far. */
  append(piece: Buffer, start = 0, end = piece.length): void {
    const length = this.#length + end - start;
    if (this.#isBorrowed || length > this.#block.length) this.#grow(length);
    piece.copy(this.#block, this.#length, start, end);
    this.#length = length;
  }

  /** Returns the bytes and forgets them. */
  take(): Buffer {
    const { bytes } = this;
    this.clear();
    return bytes;
  }

  /** Drops the bytes, and releases the large chunk that they are in, if they are in one. */
  drop(): void {
    releaseChunk(this.#block);
    this.clear();
  }

  /** Whether the bytes are in the same memory as these. */
  sharesMemory({ buffer }: Buffer): boolean {
    return this.#block.buffer === buffer;
  }

  clear(): void {
    this.#block = NOTHING;
    this.#length = 0;
    this.#isBorrowed = false;
  }

  #grow(length: number): void {
    // Twice what is needed, so that the copies of all steps together are a constant factor. The first bytes get no more than they need,
    // since most blocks never grow.
    const isFirst = this.#length === 0;
    const size = Math.max(LEAST_BYTES, isFirst ? length : 2 * length);
    const grown = size <= POOLED_BYTES ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    ownChunk(grown);
    this.#block.copy(grown, 0, 0, this.#length);
    releaseChunk(this.#block);
    this.#block = grown;
    this.#isBorrowed = false;
  }
}

const NOTHING = Buffer.alloc(0);
