// Scans the protobuf encoding of a message before anything is created from it: checks that it is well formed, counts values, and measures
// depth and the size of Structs. One pass, without allocation.

import type { DescMessage } from '@bufbuild/protobuf';
import { MAX_DEPTH, MAX_VALUES } from '../../../calls/message-limits.ts';
import { malformed, structTooLarge, tooDeep, tooManyValues } from './faults.ts';
import { MAX_STRUCT_BYTES } from './limits.ts';
import {
  END_GROUP,
  FIXED32,
  FIXED64,
  LENGTH_DELIMITED,
  START_GROUP,
  VARINT,
  type WireField,
  type WireType,
  wireTypeOf,
} from './wire-types.ts';

/**
 * Checks a message of this type at nesting depth `depth`. It is stricter than the generated codec in one respect: a known field with
 * another wire type is rejected, not read as if it had the declared one. Returns how many lists and objects its Structs have. Throws EctError.
 */
export function scanWire(desc: DescMessage, bytes: Uint8Array, depth = 1): number {
  const scanner = new WireScanner(bytes);
  scanner.scanMessage(wireTypeOf(desc), bytes.length, depth);
  return scanner.objects;
}

/** Where a field of the outermost message starts and ends, including its tag, and where its content is. */
export interface WireRecord {
  readonly fieldNumber: number;
  readonly wireType: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** Calls `onRecord` for each field of the outermost message. Throws EctError. */
export function eachRecord(bytes: Uint8Array, onRecord: (record: WireRecord) => void): void {
  const scanner = new WireScanner(bytes);
  while (scanner.at < bytes.length) onRecord(scanner.record());
}

class WireScanner {
  at = 0;
  /** Structs and lists of values. */
  objects = 0;
  #values = 0;
  #jsonBytes = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  record(): WireRecord {
    const start = this.at;
    const tag = this.#tag();
    this.#count(1);
    const contentStart = (tag & 7) === LENGTH_DELIMITED ? this.#part(this.#bytes.length) : this.at;
    if ((tag & 7) !== LENGTH_DELIMITED) this.#skip(tag, this.#bytes.length, 1);
    return { fieldNumber: tag >>> 3, wireType: tag & 7, start, contentStart, end: this.at };
  }

  scanMessage(type: WireType, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw tooDeep();
    if (type.jsonBytes > 0) this.objects++;
    this.#addJson(type.jsonBytes);
    while (this.at < end) {
      const tag = this.#tag();
      this.#count(1);
      const field = type.fields.get(tag >>> 3);
      if (field === undefined) this.#skip(tag, end, depth);
      else this.#scanField(field, tag, end, depth);
    }
    if (this.at !== end) throw malformed('a field is longer than its message');
  }

  #scanField(field: WireField, tag: number, end: number, depth: number): void {
    const wireType = tag & 7;
    if (!field.wireTypes.includes(wireType)) throw malformed('a field has a wire type that is not its own');
    this.#addJson(field.jsonBytes);
    if (wireType !== LENGTH_DELIMITED) {
      this.#skip(tag, end, depth);
      return;
    }
    const start = this.#part(end);
    const partEnd = this.at;
    if (field.isJsonText) this.#addJson(partEnd - start);
    if (field.message !== undefined) {
      this.at = start;
      this.scanMessage(field.message, partEnd, depth + 1);
    } else if (field.packed !== undefined) {
      this.at = start;
      while (this.at < partEnd) {
        this.#count(1);
        this.#skip(field.packed, partEnd, depth);
      }
    }
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MAX_VALUES) throw tooManyValues();
  }

  #addJson(bytes: number): void {
    this.#jsonBytes += bytes;
    if (this.#jsonBytes > MAX_STRUCT_BYTES) throw structTooLarge();
  }

  /** Field number and wire type, of 29 and 3 bits. */
  #tag(): number {
    const start = this.at;
    const tag = this.#varint();
    if (this.at > start + 5 || tag < 8 || tag > 0xffff_ffff) throw malformed('a tag is not valid');
    return tag;
  }

  /** Skips a value. The content of a group counts as values of the message around it. */
  #skip(tag: number, end: number, depth: number): void {
    switch (tag & 7) {
      case VARINT:
        this.#skipVarint();
        break;
      case FIXED64:
        this.at += 8;
        break;
      case LENGTH_DELIMITED:
        this.#part(end);
        break;
      case START_GROUP:
        this.#skipGroup(tag >>> 3, end, depth + 1);
        break;
      case FIXED32:
        this.at += 4;
        break;
      default:
        throw malformed('a wire type is not valid');
    }
    if (this.at > end) throw malformed('a field is longer than its message');
  }

  #skipGroup(fieldNumber: number, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw tooDeep();
    while (this.at < end) {
      const tag = this.#tag();
      this.#count(1);
      if ((tag & 7) !== END_GROUP) this.#skip(tag, end, depth);
      else if (tag >>> 3 === fieldNumber) return;
      else break;
    }
    throw malformed('a group does not end');
  }

  /** Returns where a length-delimited value starts; it ends at `at`. */
  #part(end: number): number {
    const length = this.#varint();
    const start = this.at;
    this.at += length;
    if (this.at > end) throw malformed('a field is longer than its message');
    return start;
  }

  /** The lower 53 bits, or more than any length; at most 10 bytes. */
  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let left = 10; left > 0; left--) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw malformed('a number does not end');
  }

  #skipVarint(): void {
    for (let left = 10; left > 0; left--) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) break;
      if (byte < 0x80) return;
    }
    throw malformed('a number does not end');
  }
}
