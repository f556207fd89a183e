// Remembers which signatures have been verified. One token is verified by many parties of a workflow, and its signature
// is most of the cost each time. Only good signatures are remembered, never verdicts: every other step is run again.
//
// What is remembered lies as bytes in one block outside of the heap. On the heap it would live just long enough for the
// collector of garbage to move it to the old generation, and to go through all of that again for every thousand tokens.

import type { TrustedKey } from '../keys/index.ts';
import type { Parts } from './compact.ts';

/** What a signature was made over, and the signature. */
export type Signed = Pick<Parts, 'signingInput' | 'signature'>;

/** Some 10,000 tokens. */
const CAPACITY_BYTES = 8 * 1024 * 1024;
/** One place in the index for so many bytes: several for each token, so that one that is asked for is hardly ever pushed out. */
const BYTES_PER_PLACE = 128;
/** Neighbouring places in which a signature may stand; the oldest gives way. */
const WAYS = 8;
/** Before its bytes an entry has three numbers: its key, and the lengths of its two parts. */
const HEAD_BYTES = 12;

export class SignatureCache {
  readonly #capacity: number;
  /** A ring buffer: the oldest entries are overwritten. */
  readonly #block: Buffer;
  /** The start of each entry, counted since the creation of the cache; 0 if there is none. */
  readonly #positions: Float64Array;
  /** A part of the signature of each entry: most other signatures differ in it, without an access to the block. */
  readonly #marks: Uint32Array;
  /** Where the next entry begins. */
  #next = 1;
  /** Keys are compared as objects of the key ring: a replaced key is another key. */
  readonly #numbers = new WeakMap<TrustedKey, number>();
  #keys = 0;

  constructor(capacityBytes = CAPACITY_BYTES) {
    this.#capacity = capacityBytes;
    this.#block = Buffer.allocUnsafeSlow(capacityBytes);
    this.#positions = new Float64Array(WAYS * Math.ceil(capacityBytes / BYTES_PER_PLACE / WAYS));
    this.#marks = new Uint32Array(this.#positions.length);
  }

  /** Whether exactly this signature over exactly these octets was verified under exactly this key, as far as it is remembered. */
  holds(signed: Signed, key: TrustedKey): boolean {
    const number = this.#numbers.get(key);
    if (number === undefined) return false;
    const first = this.#firstPlace(signed);
    const mark = markOf(signed);
    for (let place = first; place < first + WAYS; place++) {
      if (this.#marks[place] !== mark) continue;
      const position = this.#positions[place]!;
      if (!this.#isThere(position) || !this.#isAt(position, signed, number)) continue;
      // What is asked for stays: in its older half of the circle it is written anew.
      if (this.#next - position > this.#capacity / 2) this.#write(place, signed, number);
      return true;
    }
    return false;
  }

  /** Remembers a signature that has been verified. What is not asked for is forgotten when the block is full. */
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

  /** A signature is as good as random, so its own bytes say where it stands. */
  #firstPlace({ signature }: Signed): number {
    return WAYS * (wordAt(signature, 0) % (this.#positions.length / WAYS));
  }

  /** Whether an entry is there that nothing was written over. */
  #isThere(position: number): boolean {
    return position > 0 && this.#next - position <= this.#capacity;
  }

  /** The bytes decide, and where the one part ends and the other begins: places are shared. */
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
