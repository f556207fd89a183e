// Writes protobuf from the last byte to the first, into one reused buffer.

import { FRAME_PREFIX_BYTES } from '../messages/grpc-frame.ts';

const SCRATCH_BYTES = 64 * 1024;
/**
 * A larger response replaces the shared buffer by a larger one, which is kept up to this size. Most batches fit into it: a new buffer for
 * each of them would cause full garbage collections, because V8 counts external memory.
 */
const KEPT_BYTES = 1024 * 1024;
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** Writes towards the front of the shared buffer. Synchronous use only: one message at a time. */
export class BackwardWriter {
  #at = scratch.length;

  /** Bytes written so far. */
  get length(): number {
    return scratch.length - this.#at;
  }

  text(value: string): void {
    if (value.length > SHORT_TEXT || !this.#shortText(value)) this.#longText(value);
  }

  bytes(value: Uint8Array): void {
    this.raw(value);
    this.varint(value.length);
  }

  /** Writes bytes without a length prefix. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    scratch.set(value, this.#at);
  }

  /** Writes an integer from 0 to 2^53 - 1. No response contains a negative one. */
  varint(value: number): void {
    // Most values are tags, short lengths and small enums.
    if (this.#at > 0 && value >= 0 && value < 0x80 && Number.isInteger(value)) scratch[--this.#at] = value;
    else this.#longVarint(value);
  }

  #longVarint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('an answer holds a number that cannot be');
    this.#reserve(MAX_VARINT_BYTES);
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
    this.#at -= length;
    let rest = value;
    for (let at = this.#at; at < this.#at + length - 1; at++) {
      scratch[at] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    scratch[this.#at + length - 1] = rest;
  }

  /** The message as one frame, copied out of the shared buffer. */
  takeFrame(): Buffer {
    const { length } = this;
    const frame = Buffer.allocUnsafe(FRAME_PREFIX_BYTES + length);
    frame[0] = 0;
    frame.writeUInt32BE(length, 1);
    scratch.copy(frame, FRAME_PREFIX_BYTES, this.#at);
    if (scratch.length > KEPT_BYTES) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    return frame;
  }

  /** Writes ASCII text, which is faster here than by a call into the runtime. Returns false if it is not ASCII. */
  #shortText(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    const start = this.#at - length;
    for (let at = 0; at < length; at++) {
      const unit = value.charCodeAt(at);
      if (unit >= 0x80) return false;
      scratch[start + at] = unit;
    }
    scratch[start - 1] = length;
    this.#at = start - 1;
    return true;
  }

  #longText(value: string): void {
    const length = Buffer.byteLength(value);
    this.#reserve(length);
    this.#at -= length;
    // As many bytes as characters: the text is ASCII, so it is copied.
    scratch.write(value, this.#at, length, length === value.length ? 'latin1' : 'utf8');
    this.varint(length);
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const { length } = this;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * scratch.length, length + bytes));
    scratch.copy(larger, larger.length - length, this.#at);
    this.#at = larger.length - length;
    scratch = larger;
  }
}

const MAX_VARINT_BYTES = 8;
/** Texts up to this length are written character by character. Their length fits into one byte. */
const SHORT_TEXT = 64;
