// Received bytes that wait, in one block. A peer chooses how large the pieces are in which its bytes arrive: over TLS each record is one,
// and one may have a single byte. Appending costs as much as the piece, not as much as what waits already.

/** The smallest block that is allocated for more than one piece. */
const LEAST_BYTES = 64;

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

  /** Keeps the first piece as it is, without a copy. */
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

  clear(): void {
    this.#block = NOTHING;
    this.#length = 0;
    this.#isBorrowed = false;
  }

  #grow(length: number): void {
    // Twice what is needed, so that the copies of all steps together are a constant factor. The first bytes get no more than they need,
    // since most blocks never grow.
    const isFirst = this.#length === 0;
    const grown = Buffer.allocUnsafe(Math.max(LEAST_BYTES, isFirst ? length : 2 * length));
    this.#block.copy(grown, 0, 0, this.#length);
    this.#block = grown;
    this.#isBorrowed = false;
  }
}

const NOTHING = Buffer.alloc(0);
