// Received bytes, copied into blocks. A peer chooses the size of the parts in which bytes arrive, and an object for each part would cost
// more memory and more time than its bytes.

import { release } from './released-memory.ts';

/** Accounts for the memory of the blocks; a stream does. */
export interface BodyMemory {
  /** Reserves bytes. Returns whether there is room. */
  reserveBody(bytes: number): boolean;
  /** Frees reserved bytes. */
  freeBody(bytes: number): void;
}

/** The size of the blocks: as large as all bytes so far, within these limits, so that no byte is copied twice before `read`. */
const SMALLEST_BLOCK_BYTES = 1024;
const LARGEST_BLOCK_BYTES = 64 * 1024;

export class JoinedBytes {
  readonly #memory: BodyMemory;
  readonly #largestBytes: number;
  /** Full blocks, and the one that is being filled. */
  readonly #blocks: Buffer[] = [];
  #block: Buffer = EMPTY;
  #blockLength = 0;
  /** Whether the block belongs to somebody else. */
  #isAdopted = false;
  #length = 0;
  #reservedBytes = 0;

  constructor(memory: BodyMemory, largestBytes = LARGEST_BLOCK_BYTES) {
    this.#memory = memory;
    this.#largestBytes = largestBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** The first bytes so far: at least 1 KiB, or all. */
  get head(): Buffer {
    return this.#blocks[0] ?? this.#block.subarray(0, this.#blockLength);
  }

  /** Copies a part. Returns whether there is room for it; if not, some of it may have been copied. */
  add(part: Uint8Array): boolean {
    for (let at = 0; at < part.length; ) {
      const left = part.length - at;
      if (this.#blockLength === this.#block.length && !this.#addBlock(left)) return false;
      const copied = Math.min(left, this.#block.length - this.#blockLength);
      this.#block.set(copied === part.length ? part : part.subarray(at, at + copied), this.#blockLength);
      this.#blockLength += copied;
      this.#length += copied;
      at += copied;
    }
    return true;
  }

  /** Keeps the only part as it is. The caller has reserved its memory. */
  adopt(part: Buffer): void {
    this.#block = part;
    this.#isAdopted = true;
    this.#blockLength = this.#length = part.length;
  }

  /** Returns all bytes so far, and keeps none of them. Their memory stays reserved until `clear`. */
  read(): Buffer {
    const last = this.#block.subarray(0, this.#blockLength);
    const whole = this.#blocks.length === 0 ? last : Buffer.concat([...this.#blocks, last], this.#length);
    if (this.#blocks.length > 0) this.#releaseBlocks();
    this.#forgetBlock();
    return whole;
  }

  /** Takes the bytes of the first block out, and frees its memory; undefined: there are none. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const full = this.#blocks.shift();
    const taken = full ?? this.#block.subarray(0, this.#blockLength);
    this.#free(full?.length ?? this.#block.length);
    if (full === undefined) this.#forgetBlock();
    this.#length -= taken.length;
    return taken;
  }

  /** Drops all bytes, and frees their memory. */
  clear(): void {
    this.#free(this.#reservedBytes);
    this.drop();
  }

  /** Drops all bytes. Their memory stays reserved: its owner frees it. */
  drop(): void {
    this.#releaseBlocks();
    this.#forgetBlock();
    this.#length = 0;
  }

  /**
   * Returns the memory of the blocks to the C library at once. The garbage collector notices late how large they are: a flood of bodies
   * that are given up kept twice the budget.
   */
  #releaseBlocks(): void {
    // What was adopted is a part of what the socket has read.
    if (!this.#isAdopted) for (const block of [...this.#blocks, this.#block]) release(block);
    this.#blocks.length = 0;
  }

  #free(bytes: number): void {
    this.#reservedBytes -= bytes;
    this.#memory.freeBody(bytes);
  }

  #forgetBlock(): void {
    this.#block = EMPTY;
    this.#isAdopted = false;
    this.#blockLength = 0;
  }

  #addBlock(wanted: number): boolean {
    const size = Math.min(Math.max(this.#length, wanted, SMALLEST_BLOCK_BYTES), this.#largestBytes);
    if (!this.#memory.reserveBody(size)) return false;
    this.#reservedBytes += size;
    if (this.#blockLength > 0) this.#blocks.push(this.#block);
    this.#block = Buffer.allocUnsafeSlow(size);
    this.#blockLength = 0;
    return true;
  }
}

const EMPTY = Buffer.alloc(0);
