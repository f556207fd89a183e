// Scans the text of a JSON message before anything is created from it: counts values, measures depth, finds lone surrogates, and finds
// the items of the batch. `JSON.parse` checks the rest of the grammar, separately for each part.

import { MAX_BATCH_ITEMS, MAX_BATCH_OBJECTS, MAX_DEPTH, MAX_VALUES } from '../../../calls/message-limits.ts';
import type { BatchField } from '../batch-field.ts';
import { malformed, tooDeep, tooManyItems, tooManyObjects, tooManyValues } from './faults.ts';

/** A part of the text, and how many members its objects have in total, counted as written. */
export interface JsonPart {
  readonly text: string;
  readonly members: number;
}

export interface JsonParts {
  /** The message with an empty list instead of the batch. */
  readonly message: JsonPart;
  readonly items: readonly JsonPart[];
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A scan of one text. `text` is attacker-controlled and well-formed Unicode. Every method throws EctError. */
export class JsonScan {
  readonly #text: string;
  readonly #batch: BatchField | undefined;
  readonly #items: JsonPart[] = [];
  #at = 0;
  #depth = 0;
  /** Counts of the message, or of the item that is being scanned. */
  #values = 0;
  /** Lists and objects of the whole text. */
  #objects = 0;
  #members = 0;
  #outerMembers = 0;
  #nextBackslash: number;
  /** Where the last string of the outermost object starts and ends: it may be the name of a member. */
  #stringStart = 0;
  #stringEnd = 0;
  #listStart = -1;
  #listEnd = -1;
  #itemStart = 0;

  constructor(text: string, batch: BatchField | undefined) {
    this.#text = text;
    this.#batch = batch;
    this.#nextBackslash = indexFrom(text, '\\', 0);
  }

  /** Scans at least this many more characters. Returns whether the text is complete. */
  advance(characters: number): boolean {
    const text = this.#text;
    const until = Math.min(this.#at + characters, text.length);
    while (this.#at < until) {
      const unit = text.charCodeAt(this.#at);
      if (unit === QUOTE) this.#passString();
      else {
        this.#at++;
        if (unit >= COMMA) this.#passPunctuation(unit);
      }
    }
    return this.#at >= text.length;
  }

  /** The result, after the scan is complete. */
  finish(): JsonParts {
    if (this.#depth !== 0) throw malformed('the message is not valid JSON');
    const text = this.#text;
    if (this.#listStart < 0) return { message: { text, members: this.#members }, items: [] };
    const outside = text.slice(0, this.#listStart) + text.slice(this.#listEnd);
    return { message: { text: outside, members: this.#members }, items: this.#items };
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
    const name = readString(this.#text.slice(this.#stringStart, this.#stringEnd));
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
    this.#items.push({ text: this.#text.slice(this.#itemStart, end), members: this.#members });
    this.#beginItem();
  }

  #leaveBatch(): void {
    const end = this.#at - 1;
    const isEmpty = this.#items.length === 0 && /^[ \t\n\r]*$/.test(this.#text.slice(this.#itemStart, end));
    if (!isEmpty) this.#endItem(end);
    this.#listEnd = end;
    this.#members = this.#outerMembers;
    // Items are counted separately.
    this.#values = 0;
  }

  #passString(): void {
    const text = this.#text;
    const start = this.#at;
    let close = text.indexOf('"', start + 1);
    if (this.#nextBackslash < start) this.#nextBackslash = indexFrom(text, '\\', start);
    if (close > this.#nextBackslash) close = this.#passEscapes(this.#nextBackslash);
    if (close < 0) throw malformed('the message is not valid JSON');
    this.#at = close + 1;
    if (this.#depth === 1) {
      this.#stringStart = start;
      this.#stringEnd = this.#at;
    }
  }

  /** Returns where the string ends. */
  #passEscapes(from: number): number {
    const text = this.#text;
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) return at;
      if (unit !== BACKSLASH) continue;
      at++;
      const kind = surrogateAt(text, at);
      if (kind === undefined) continue;
      const next = text.charCodeAt(at + 5) === BACKSLASH ? surrogateAt(text, at + 6) : undefined;
      if (kind === 'low' || next !== 'low') throw malformed('a string of the message has a lone surrogate');
      at += 10;
    }
    return -1;
  }
}

const UNICODE = 0x75;
const LOWER_CASE = 0x20;
const HEX_D = 0x64;

/** Which half of a surrogate pair an escape encodes: `uD800` to `uDBFF`, or `uDC00` to `uDFFF`. `at` follows the backslash. */
function surrogateAt(text: string, at: number): 'high' | 'low' | undefined {
  if (text.charCodeAt(at) !== UNICODE || (text.charCodeAt(at + 1) | LOWER_CASE) !== HEX_D) return undefined;
  const digit = text.charCodeAt(at + 2);
  if (digit === 0x38 || digit === 0x39) return 'high';
  const letter = (digit | LOWER_CASE) - 0x61;
  if (letter === 0 || letter === 1) return 'high';
  return letter >= 2 && letter <= 5 ? 'low' : undefined;
}

function indexFrom(text: string, character: string, from: number): number {
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
