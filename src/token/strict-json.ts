// JSON objects in one spelling only (RFC 8259 and less): no duplicate members, no lone surrogates, bounded depth.
// `JSON.parse` forgives all of that. Most texts are what `JSON.stringify` writes of their value, which settles the matter;
// any other is scanned first, in one pass, and parsed only when nothing is wrong.

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [member: string]: JsonValue };

export type StrictJson =
  | {
      readonly ok: true;
      readonly value: JsonObject;
      /** Members of the outermost object whose number is not spelled as a plain integer: 1.0, 1e3, -1, -0. */
      readonly oddNumbers: readonly string[];
    }
  | { readonly ok: false; readonly fault: string };

/**
 * Nesting that is looked at, the outermost object included. Deeper text is rejected before it is parsed.
 * @internal Exported because tests compute with it.
 */
export const MAX_JSON_DEPTH = 32;

/** The fault of such text. */
export const TOO_DEEP = `it is nested more than ${MAX_JSON_DEPTH} deep`;

/** Reads one JSON object. `text` is attacker-controlled; time is linear in its length, the stack is bounded. */
export function parseStrictObject(text: string): StrictJson {
  if (!text.isWellFormed()) return { ok: false, fault: 'it contains a lone surrogate' };
  const compact = parseCompactObject(text);
  if (compact !== undefined) return { ok: true, value: compact, oddNumbers: oddNumbersOf(compact) };
  const scanner = new Scanner(text);
  const fault = scanner.scanDocument();
  if (fault !== undefined) return { ok: false, fault };
  return { ok: true, value: JSON.parse(text) as JsonObject, oddNumbers: scanner.oddNumbers };
}

/** What is wrong with the text of a file that `parseStrictObject` did not take, after its line and column: `3:7: It is not …`. */
export function strictJsonProblem(text: string, fault: string): string {
  const scanner = new Scanner(text);
  scanner.scanDocument();
  const before = text.slice(0, scanner.at).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}: It is not strict JSON: ${fault}.`;
}

/**
 * The object that a text stands for if it is compact and without escapes, otherwise undefined, whatever is wrong with it.
 * A text that is written back as it was has no second member of a name, and a name or a number has no second spelling.
 */
function parseCompactObject(text: string): JsonObject | undefined {
  if (text.charCodeAt(0) !== OPEN_BRACE || text.includes('\\') || hasManyBrackets(text)) return undefined;
  try {
    const value = JSON.parse(text) as JsonObject;
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    // It is not JSON: the scanner says why.
    return undefined;
  }
}

/** Whether there are more opening brackets than levels are allowed: with fewer of them nothing can be nested too deeply. */
function hasManyBrackets(text: string): boolean {
  return countUpTo(text, '{', MAX_JSON_DEPTH) + countUpTo(text, '[', MAX_JSON_DEPTH) > MAX_JSON_DEPTH;
}

function countUpTo(text: string, character: string, limit: number): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count <= limit; at = text.indexOf(character, at + 1)) count++;
  return count;
}

/** Of an object whose numbers are spelled as `JSON.stringify` does it: with digits alone below 10^21. */
function oddNumbersOf(value: JsonObject): readonly string[] {
  let odd = NONE;
  // What `JSON.parse` makes inherits no members that would show here.
  for (const name in value) {
    const member = value[name];
    if (typeof member !== 'number' || (Number.isInteger(member) && member >= 0 && member < 1e21)) continue;
    odd = [...odd, name];
  }
  return odd;
}

const NONE: readonly string[] = [];

/** The nesting of a value: 1 for an object of plain members. Only called on values that the scanner has bounded. */
export function depthOf(value: JsonValue): number {
  if (value === null || typeof value !== 'object') return 0;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member));
  return deepest + 1;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const DIGITS = /^[0-9]+$/;
const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u([0-9a-fA-F]{4}))/y;

/** Walks the grammar. Each `scan…` method answers a fault, or undefined and leaves `at` behind what it read. */
class Scanner {
  readonly oddNumbers: string[] = [];
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #member = '';

  constructor(text: string) {
    this.#text = text;
  }

  /** How far the text was read. */
  get at(): number {
    return this.#at;
  }

  scanDocument(): string | undefined {
    this.#skipBlanks();
    if (this.#peek() !== OPEN_BRACE) return 'it is not an object';
    const fault = this.#scanObject();
    if (fault !== undefined) return fault;
    this.#skipBlanks();
    return this.#at === this.#text.length ? undefined : 'something follows the object';
  }

  #scanValue(): string | undefined {
    switch (this.#peek()) {
      case QUOTE:
        return this.#scanString();
      case OPEN_BRACE:
        return this.#scanObject();
      case OPEN_BRACKET:
        return this.#scanArray();
      default:
        return this.#scanScalar();
    }
  }

  #scanObject(): string | undefined {
    if (++this.#depth > MAX_JSON_DEPTH) return TOO_DEEP;
    this.#at++;
    this.#skipBlanks();
    if (this.#peek() === CLOSE_BRACE) return this.#close();
    const names = new Set<string>();
    for (;;) {
      const start = this.#at;
      if (this.#peek() !== QUOTE) return 'a member has no name';
      const fault = this.#scanString();
      if (fault !== undefined) return fault;
      // Compared as they read, not as they are spelled: "\u0069ss" is a second "iss".
      const spelling = this.#text.slice(start + 1, this.#at - 1);
      const name = spelling.includes('\\') ? (JSON.parse(`"${spelling}"`) as string) : spelling;
      if (names.has(name)) return 'it has a duplicate member';
      names.add(name);
      if (this.#depth === 1) this.#member = name;
      this.#skipBlanks();
      if (this.#peek() !== COLON) return 'a member has no value';
      this.#at++;
      const next = this.#scanElement(CLOSE_BRACE);
      if (next !== 'more') return next;
    }
  }

  #scanArray(): string | undefined {
    if (++this.#depth > MAX_JSON_DEPTH) return TOO_DEEP;
    this.#at++;
    this.#skipBlanks();
    if (this.#peek() === CLOSE_BRACKET) return this.#close();
    for (;;) {
      const next = this.#scanElement(CLOSE_BRACKET);
      if (next !== 'more') return next;
    }
  }

  /** A value and what follows it: a comma (`more`), or the end of its container (undefined). */
  #scanElement(closing: number): string | undefined {
    this.#skipBlanks();
    const fault = this.#scanValue();
    if (fault !== undefined) return fault;
    this.#skipBlanks();
    const following = this.#peek();
    if (following === closing) return this.#close();
    if (following !== COMMA) return 'a comma or a closing bracket is missing';
    this.#at++;
    this.#skipBlanks();
    return 'more';
  }

  #close(): undefined {
    this.#at++;
    this.#depth--;
    return undefined;
  }

  #scanString(): string | undefined {
    const text = this.#text;
    for (let at = this.#at + 1; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) {
        this.#at = at + 1;
        return undefined;
      }
      if (unit < 0x20) return 'a string contains a control character';
      if (unit !== BACKSLASH) continue;
      ESCAPE.lastIndex = at;
      const sequence = ESCAPE.exec(text);
      if (sequence === null) return 'a string contains an unknown escape';
      at = ESCAPE.lastIndex - 1;
      if (sequence[1] === undefined) continue;
      const code = Number.parseInt(sequence[1], 16);
      if (code === 0) return 'a string contains NUL';
      if (code < 0xd800 || code > 0xdfff) continue;
      ESCAPE.lastIndex = at + 1;
      const low = code < 0xdc00 ? ESCAPE.exec(text)?.[1] : undefined;
      if (low === undefined || !/^[dD][c-fC-F]/.test(low)) return 'a string contains a lone surrogate';
      at = ESCAPE.lastIndex - 1;
    }
    return 'a string does not end';
  }

  #scanScalar(): string | undefined {
    LITERAL.lastIndex = this.#at;
    if (LITERAL.test(this.#text)) {
      this.#at = LITERAL.lastIndex;
      return undefined;
    }
    NUMBER.lastIndex = this.#at;
    const spelling = NUMBER.exec(this.#text)?.[0];
    if (spelling === undefined) return 'a value is missing';
    this.#at += spelling.length;
    if (this.#depth === 1) {
      if (!DIGITS.test(spelling)) this.oddNumbers.push(this.#member);
      return undefined;
    }
    return Number.isFinite(Number(spelling)) ? undefined : 'a number is out of range';
  }

  #skipBlanks(): void {
    for (;;) {
      const unit = this.#peek();
      if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) return;
      this.#at++;
    }
  }

  #peek(): number {
    return this.#text.charCodeAt(this.#at);
  }
}
