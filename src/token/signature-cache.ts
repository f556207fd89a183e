// Caches which signatures have been verified. Many parties of a workflow verify the same token, and the signature is most of the cost.
// Only valid signatures are cached, never verdicts: all other steps run again.
// The entries are bytes in one block outside of the JavaScript heap. On the heap each entry would live just long enough to be moved to
// the old generation, which makes garbage collection expensive.

import type { TrustedKey } from '../keys/index.ts';
import type { Parts } from './compact.ts';

/** A signature and the octets that it was made over. */
export type Signed = Pick<Parts, 'signingInput' | 'signature'>;

/** Space for about 10,000 tokens. */
const CAPACITY_BYTES = 8 * 1024 * 1024;
/**
 * The index has one slot for this many bytes of the block, which is several for each token, so an entry that is in use is rarely evicted.
 */
const BYTES_PER_PLACE = 128;
/** The number of adjacent slots in which a signature may be stored. The oldest entry is evicted. */
const WAYS = 8;
/** Each entry begins with three 32-bit numbers: the number of its key and the lengths of its two parts. */
const HEAD_BYTES = 12;

export class SignatureCache {
  readonly #capacity: number;
  /** A ring buffer: the oldest entries are overwritten. */
  readonly #block: Buffer;
  /** The position of each entry, counted in bytes since the creation of the cache; 0 if the slot is empty. */
  readonly #positions: Float64Array;
  /** A part of the signature of each entry. It distinguishes most signatures without an access to the block. */
  readonly #marks: Uint32Array;
  /** The position of the next entry. */
  #next = 1;
  /** Keys are compared by object identity: a replaced key is another key. */
  readonly #numbers = new WeakMap<TrustedKey, number>();
  #keys = 0;

  constructor(capacityBytes = CAPACITY_BYTES) {
    this.#capacity = capacityBytes;
    this.#block = Buffer.allocUnsafeSlow(capacityBytes);
    this.#positions = new Float64Array(WAYS * Math.ceil(capacityBytes / BYTES_PER_PLACE / WAYS));
    this.#marks = new Uint32Array(this.#positions.length);
  }

  /**
   * Whether the cache knows that this signature over these octets was verified with this key. False can also mean that the entry was
   * evicted.
   */
  holds(signed: Signed, key: TrustedKey): boolean {
    const number = this.#numbers.get(key);
    if (number === undefined) return false;
    const first = this.#firstPlace(signed);
    const mark = markOf(signed);
    for (let place = first; place < first + WAYS; place++) {
      if (this.#marks[place] !== mark) continue;
      const position = this.#positions[place]!;
      if (!this.#isThere(position) || !this.#isAt(position, signed, number)) continue;
      // An entry that is used is kept: once it is in the older half of the ring it is written again.
      if (this.#next - position > this.#capacity / 2) this.#write(place, signed, number);
      return true;
    }
    return false;
  }

  /** Stores a verified signature. Entries that are not used are overwritten when the block is full. */
  remember(signed: Signed, key: TrustedKey): void {
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = ++this.#keys;
      this.#numbers.set(key, number);
    }
    const first = this.#firstPlace(signed);
    let oldest = first;
    for (let place = first + 1; place < first + WAYS; place++) {
      if (this.#positions[place]! < this.#positions[oldest]!) oldest = place;
    }
    this.#write(oldest, signed, number);
  }

  /** A signature is effectively random, so its own bytes serve as its hash. */
  #firstPlace({ signature }: Signed): number {
    return WAYS * (wordAt(signature, 0) % (this.#positions.length / WAYS));
  }

  /** Whether the entry at this position exists and has not been overwritten. */
  #isThere(position: number): boolean {
    return position > 0 && this.#next - position <= this.#capacity;
  }

  /** Compares all bytes, and the lengths of the two parts, because different signatures share a slot. */
  #isAt(position: number, { signingInput, signature }: Signed, number: number): boolean {
    const block = this.#block;
    const at = position % this.#capacity;
    if (block.readUInt32LE(at) !== number) return false;
    if (block.readUInt32LE(at + 4) !== signingInput.length || block.readUInt32LE(at + 8) !== signature.length)
      return false;
    const middle = at + HEAD_BYTES + signingInput.length;
    return (
      block.compare(signature, 0, signature.length, middle, middle + signature.length) === 0 &&
      block.compare(signingInput, 0, signingInput.length, at + HEAD_BYTES, middle) === 0
    );
  }

  #write(place: number, signed: Signed, number: number): void {
    const { signingInput, signature } = signed;
    const bytes = HEAD_BYTES + signingInput.length + signature.length;
    if (bytes > this.#capacity / 2) return;
    const left = this.#capacity - (this.#next % this.#capacity);
    if (left < bytes) this.#next += left;
    const at = this.#next % this.#capacity;
    this.#block.writeUInt32LE(number, at);
    this.#block.writeUInt32LE(signingInput.length, at + 4);
    this.#block.writeUInt32LE(signature.length, at + 8);
    this.#block.set(signingInput, at + HEAD_BYTES);
    this.#block.set(signature, at + HEAD_BYTES + signingInput.length);
    this.#positions[place] = this.#next;
    this.#marks[place] = markOf(signed);
    this.#next += bytes;
  }
}

function markOf({ signature }: Signed): number {
  return wordAt(signature, 4);
}

function wordAt(bytes: Buffer, at: number): number {
  return at + 4 <= bytes.length ? bytes.readUInt32LE(at) : 0;
}
