// Scans the bytes of a JSON message before anything is created from them: counts values, measures depth, finds lone surrogates, and finds
// the items of the batch. `JSON.parse` checks the rest of the grammar, separately for each part. The bytes are not converted to one text:
// Node keeps a text of more than 1 MiB outside of V8's heap, and frees it late.

import { MAX_BATCH_ITEMS, MAX_BATCH_OBJECTS, MAX_DEPTH, MAX_VALUES } from '../../../calls/message-limits.ts';
import type { BatchField } from '../batch-field.ts';
import { malformed, tooDeep, tooManyItems, tooManyObjects, tooManyValues } from './faults.ts';

/** A part of the text, and how many members its objects have in total, counted as written. */
export interface JsonPart {
  readonly text: string;
  readonly members: number;
}

/** Where a part starts and ends in the bytes. */
interface JsonRange {
  readonly start: number;
  readonly end: number;
  readonly members: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** So short a text is converted once: a conversion of each item costs more. */
const MAX_SHORT_BYTES = 256 * 1024;

/** A longer string is searched for its end by `indexOf`, whose call costs as much as looking at so many bytes here. */
const SHORT_STRING_BYTES = 48;

/** A scan of one text. `bytes` are attacker-controlled and valid UTF-8. Every method throws EctError. */
export class JsonScan {
  readonly #bytes: Buffer;
  /** The whole text, if it is short. */
  readonly #short: string | undefined;
  readonly #isShortAscii: boolean;
  readonly #batch: BatchField | undefined;
  readonly #items: JsonRange[] = [];
  #at = 0;
  #depth = 0;
  /** Counts of the message, or of the item that is being scanned. */
  #values = 0;
  /** Lists and objects of the whole text. */
  #objects = 0;
  #members = 0;
  #outerMembers = 0;
  /** At or after the last long string; before the first one, nowhere. */
  #nextBackslash = -1;
  /** Where the last string of the outermost object starts and ends: it may be the name of a member. */
  #stringStart = 0;
  #stringEnd = 0;
  #listStart = -1;
  #listEnd = -1;
  #itemStart = 0;

  constructor(bytes: Buffer, batch: BatchField | undefined) {
    this.#bytes = bytes;
    this.#batch = batch;
    if (bytes.length <= MAX_SHORT_BYTES) this.#short = bytes.toString('utf8');
    // Only then the positions of characters are those of their bytes.
    this.#isShortAscii = this.#short?.length === bytes.length;
  }

  /** How many items the batch has, after the scan is complete. */
  get items(): number {
    return this.#items.length;
  }

  /** Scans at least this many more bytes. Returns whether the scan is complete. */
  advance(count: number): boolean {
    const bytes = this.#bytes;
    const until = Math.min(this.#at + count, bytes.length);
    while (this.#at < until) {
      const unit = bytes[this.#at]!;
      if (unit === QUOTE) this.#passString();
      else {
        this.#at++;
        if (unit >= COMMA) this.#passPunctuation(unit);
      }
    }
    if (this.#at < bytes.length) return false;
    if (this.#depth !== 0) throw malformed('the message is not valid JSON');
    return true;
  }

  /** The message with an empty list instead of the batch, after the scan is complete. */
  message(): JsonPart {
    const members = this.#members;
    if (this.#listStart < 0) return { text: this.#short ?? this.#text(), members };
    return { text: this.#text(0, this.#listStart) + this.#text(this.#listEnd), members };
  }

  /** An item of the batch, after the scan is complete. */
  item(index: number): JsonPart {
    const { start, end, members } = this.#items[index]!;
    return { text: this.#text(start, end), members };
  }

  #text(start?: number, end?: number): string {
    return this.#isShortAscii ? this.#short!.slice(start, end) : this.#bytes.toString('utf8', start, end);
  }

  #passPunctuation(unit: number): void {
    switch (unit) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#count();
        if (++this.#objects > MAX_BATCH_OBJECTS) throw tooManyObjects();
        if (++this.#depth > MAX_DEPTH) throw tooDeep();
        if (this.#depth === 2 && unit === OPEN_BRACKET && this.#isBatchNext()) this.#enterBatch();
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (--this.#depth < 0) throw malformed('the message is not valid JSON');
        if (this.#depth === 1 && this.#isInBatch()) this.#leaveBatch();
        break;
      case COMMA:
        this.#count();
        if (this.#depth === 2 && this.#isInBatch()) this.#endItem(this.#at - 1);
        break;
      case COLON:
        this.#members++;
        break;
      default:
    }
  }

  #count(): void {
    if (++this.#values > MAX_VALUES) throw tooManyValues();
  }

  #isInBatch(): boolean {
    return this.#listStart >= 0 && this.#listEnd < 0;
  }

  #isBatchNext(): boolean {
    if (this.#batch === undefined || this.#listStart >= 0) return false;
    if (this.#stringEnd - this.#stringStart > 6 * (this.#batch.jsonName.length + this.#batch.name.length)) return false;
    const name = readString(this.#text(this.#stringStart, this.#stringEnd));
    return name === this.#batch.jsonName || name === this.#batch.name;
  }

  /** A second list with the same name stays in the message, which is rejected for it. */
  #enterBatch(): void {
    this.#listStart = this.#at;
    this.#outerMembers = this.#members;
    this.#beginItem();
  }

  #beginItem(): void {
    this.#itemStart = this.#at;
    this.#members = 0;
    this.#values = 0;
  }

  #endItem(end: number): void {
    if (this.#items.length === MAX_BATCH_ITEMS) throw tooManyItems(this.#batch!.name);
    this.#items.push({ start: this.#itemStart, end, members: this.#members });
    this.#beginItem();
  }

  #leaveBatch(): void {
    const end = this.#at - 1;
    const isEmpty = this.#items.length === 0 && isBlank(this.#bytes, this.#itemStart, end);
    if (!isEmpty) this.#endItem(end);
    this.#listEnd = end;
    this.#members = this.#outerMembers;
    // Items are counted separately.
    this.#values = 0;
  }

  #passString(): void {
    const start = this.#at;
    const close = this.#closingQuote(start);
    if (close < 0) throw malformed('the message is not valid JSON');
    this.#at = close + 1;
    if (this.#depth === 1) {
      this.#stringStart = start;
      this.#stringEnd = this.#at;
    }
  }

  #closingQuote(start: number): number {
    const bytes = this.#bytes;
    const searched = Math.min(start + SHORT_STRING_BYTES, bytes.length);
    for (let at = start + 1; at < searched; at++) {
      const unit = bytes[at];
      if (unit === QUOTE) return at;
      if (unit === BACKSLASH) return this.#passEscapes(at);
    }
    const text = this.#isShortAscii ? this.#short! : bytes;
    const close = text.indexOf('"', searched);
    if (this.#nextBackslash < searched) this.#nextBackslash = indexFrom(text, '\\', searched);
    return close > this.#nextBackslash ? this.#passEscapes(this.#nextBackslash) : close;
  }

  /** Returns where the string ends. */
  #passEscapes(from: number): number {
    const bytes = this.#bytes;
    for (let at = from; at < bytes.length; at++) {
      const unit = bytes[at];
      if (unit === QUOTE) return at;
      if (unit !== BACKSLASH) continue;
      at++;
      const kind = surrogateAt(bytes, at);
      if (kind === undefined) continue;
      const next = bytes[at + 5] === BACKSLASH ? surrogateAt(bytes, at + 6) : undefined;
      if (kind === 'low' || next !== 'low') {
        // The string may have no end, which is the more serious fault.
        const isOpen = bytes.indexOf(QUOTE, from) < 0;
        throw malformed(isOpen ? 'the message is not valid JSON' : 'a string of the message has a lone surrogate');
      }
      at += 10;
    }
    return -1;
  }
}

const UNICODE = 0x75;
const LOWER_CASE = 0x20;
const HEX_D = 0x64;

/** Which half of a surrogate pair an escape encodes: `uD800` to `uDBFF`, or `uDC00` to `uDFFF`. `at` follows the backslash. */
function surrogateAt(bytes: Buffer, at: number): 'high' | 'low' | undefined {
  if (bytes[at] !== UNICODE || (byteAt(bytes, at + 1) | LOWER_CASE) !== HEX_D) return undefined;
  const digit = byteAt(bytes, at + 2);
  if (digit === 0x38 || digit === 0x39) return 'high';
  const letter = (digit | LOWER_CASE) - 0x61;
  if (letter === 0 || letter === 1) return 'high';
  return letter >= 2 && letter <= 5 ? 'low' : undefined;
}

/** The byte; 0 after the end. */
function byteAt(bytes: Buffer, at: number): number {
  return at < bytes.length ? bytes[at]! : 0;
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const unit = bytes[at];
    if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) return false;
  }
  return true;
}

function indexFrom(text: string | Buffer, character: string, from: number): number {
  const at = text.indexOf(character, from);
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

function readString(spelling: string): string | undefined {
  try {
    return JSON.parse(spelling) as string;
  } catch {
    return undefined;
  }
}
