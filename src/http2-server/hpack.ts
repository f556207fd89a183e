// Decodes header blocks (HPACK, RFC 7541). The bytes are attacker-controlled: lengths are checked before they are used, and the size of
// the list is limited, also if a few bytes refer to a large entry many times.

import { DynamicTable } from './dynamic-table.ts';
import { readHuffman } from './huffman.ts';
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** Names and values alternate, with one character per byte. */
export type HeaderList = readonly string[];

/**
 * The default size of the dynamic table in HTTP/2.
 *
 * @internal Exported because tests compute with it.
 */
export const TABLE_BYTES = 4096;
const FIELD_OVERHEAD_BYTES = 32;
const EMPTY = Buffer.alloc(0);
const MAX_INTEGER = 2 ** 28;

/** Kept even if the list is too large, because it determines the format of the rejection. */
const FORMAT_FIELD = 'content-type';
const MAX_FORMAT_CHARS = 256;

/** A block that cannot be decoded. The dynamic table is wrong then, and the connection must end. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

/** The decoder of one connection. */
export class HpackDecoder {
  readonly #table = new DynamicTable(TABLE_BYTES);
  readonly #maxListBytes: number;
  #block: Buffer = EMPTY;
  #at = 0;
  #listBytes = 0;

  /** `maxListBytes` limits a list as HTTP/2 counts it: name, value and 32 bytes for each field. */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** Changes with the table. The same block decodes to the same list while it stays the same. */
  get version(): number {
    return this.#table.version;
  }

  /** The size of the last list as HTTP/2 counts it. Fields beyond the limit were left out of the list. */
  get listBytes(): number {
    return this.#listBytes;
  }

  /** Decodes a block. Throws HpackError. */
  decode(block: Buffer): HeaderList {
    this.#block = block;
    this.#at = 0;
    const list: string[] = [];
    let bytes = 0;
    let keptBytes = 0;
    let hasFormat = false;
    let mayResize = true;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if ((first & 0xe0) === 0x20) {
        if (!mayResize) throw new HpackError('the size of the table changes within a block');
        if (!this.#table.resize(this.#integer(5))) throw new HpackError('the table would be larger than announced');
        continue;
      }
      mayResize = false;
      let name: string;
      let value: string;
      if (first & 0x80) {
        const index = this.#integer(7);
        name = this.#nameAt(index);
        value = index <= STATIC_ENTRIES ? STATIC_VALUES[index]! : this.#table.value(index - STATIC_ENTRIES - 1);
      } else {
        const remember = (first & 0x40) !== 0;
        const index = this.#integer(remember ? 6 : 4);
        name = index === 0 ? this.#text() : this.#nameAt(index);
        value = this.#text();
        if (remember) this.#table.add(name, value);
      }
      const fieldBytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
      bytes += fieldBytes;
      // The rest is decoded to keep the dynamic table correct, but its fields are dropped, except the ones that the rejection needs.
      const fits = keptBytes + fieldBytes <= this.#maxListBytes;
      if (!fits && (hasFormat || name !== FORMAT_FIELD || value.length > MAX_FORMAT_CHARS)) continue;
      if (name === FORMAT_FIELD) hasFormat = true;
      if (fits) keptBytes += fieldBytes;
      list.push(name, value);
    }
    this.#block = EMPTY;
    this.#listBytes = bytes;
    return list;
  }

  #nameAt(index: number): string {
    if (index === 0 || index > STATIC_ENTRIES + this.#table.count) throw new HpackError('there is no such entry');
    return index <= STATIC_ENTRIES ? STATIC_NAMES[index]! : this.#table.name(index - STATIC_ENTRIES - 1);
  }

  /** An integer with a prefix of so many bits. */
  #integer(bits: number): number {
    const most = (1 << bits) - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (value > MAX_INTEGER || factor > MAX_INTEGER) throw new HpackError('an integer is too large');
      if (byte < 128) return value;
    }
  }

  #text(): string {
    const isHuffman = (this.#block[this.#at] ?? 0) >= 128;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw new HpackError('a text is longer than its block');
    this.#at = end;
    if (!isHuffman) return this.#block.toString('latin1', start, end);
    const text = readHuffman(this.#block, start, end);
    if (text === undefined) throw new HpackError('a text is not in the Huffman code');
    return text;
  }

  #byte(): number {
    const byte = this.#block[this.#at++];
    if (byte === undefined) throw new HpackError('a block ends in the middle of a field');
    return byte;
  }
}
