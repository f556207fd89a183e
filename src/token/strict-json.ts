// Parses JSON objects in an unambiguous form only (stricter than RFC 8259): no duplicate members, no lone surrogates, bounded depth.
// `JSON.parse` accepts all of these. If `JSON.stringify` of the parsed value equals the text, the text is unambiguous; that is the usual
// case. Any other text is scanned in one pass first, and is parsed only if the scan finds no fault.

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [member: string]: JsonValue };

export type StrictJson =
  | {
      readonly ok: true;
      readonly value: JsonObject;
      /** The names of members of the outermost object whose number is not written as a plain integer: 1.0, 1e3, -1, -0. */
      readonly oddNumbers: readonly string[];
    }
  | { readonly ok: false; readonly fault: string };

/**
 * The maximum nesting, including the outermost object. Deeper text is rejected before it is parsed.
 *
 * @internal Exported because tests use it.
 */
export const MAX_JSON_DEPTH = 32;

/** The fault of such text. */
export const TOO_DEEP = `it is nested more than ${MAX_JSON_DEPTH} deep`;

/** Parses one JSON object. `text` is attacker-controlled; time is linear in its length and the stack is bounded. */
export function parseStrictObject(text: string): StrictJson {
  if (!text.isWellFormed()) return { ok: false, fault: 'it contains a lone surrogate' };
  const compact = parseCompactObject(text);
  if (compact !== undefined) return { ok: true, value: compact, oddNumbers: oddNumbersOf(compact) };
  const scanner = new Scanner(text);
  const fault = scanner.scanDocument();
  if (fault !== undefined) return { ok: false, fault };
  return { ok: true, value: JSON.parse(text) as JsonObject, oddNumbers: scanner.oddNumbers };
}

/** Returns a message about the text of a file that `parseStrictObject` rejected, with line and column: `3:7: It is not …`. */
export function strictJsonProblem(text: string, fault: string): string {
  const scanner = new Scanner(text);
  scanner.scanDocument();
  const before = text.slice(0, scanner.at).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}: It is not strict JSON: ${fault}.`;
}

/**
 * Returns the object if the text is compact and has no escapes; otherwise undefined, whatever is wrong with it. If the value is written
 * back as the same text, no member is duplicated, and no name or number has a second spelling.
 */
function parseCompactObject(text: string): JsonObject | undefined {
  if (text.charCodeAt(0) !== OPEN_BRACE || text.includes('\\') || hasManyBrackets(text)) return undefined;
  try {
    const value = JSON.parse(text) as JsonObject;
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    // It is not JSON. The scanner finds the reason.
    return undefined;
  }
}

/** Whether the text has more opening brackets than MAX_JSON_DEPTH. With fewer it cannot be nested too deeply. */
function hasManyBrackets(text: string): boolean {
  return countUpTo(text, '{', MAX_JSON_DEPTH) + countUpTo(text, '[', MAX_JSON_DEPTH) > MAX_JSON_DEPTH;
}

function countUpTo(text: string, character: string, limit: number): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count <= limit; at = text.indexOf(character, at + 1)) count++;
  return count;
}

/** Returns the odd numbers of an object whose numbers are written as `JSON.stringify` does: below 10^21, with digits only. */
function oddNumbersOf(value: JsonObject): readonly string[] {
  let odd = NONE;
  // An object of `JSON.parse` has no enumerable inherited members.
  for (const name in value) {
    const member = value[name];
    if (typeof member !== 'number' || (Number.isInteger(member) && member >= 0 && member < 1e21)) continue;
    odd = [...odd, name];
  }
  return odd;
}

const NONE: readonly string[] = [];

/** Returns the nesting of a value: 1 for an object with scalar members. It recurses, so the scanner must have bounded the depth. */
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

/** A recursive-descent parser. Each `scan…` method returns a fault, or undefined and moves `at` past what it read. */
class Scanner {
  readonly oddNumbers: string[] = [];
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #member = '';

  constructor(text: string) {
    this.#text = text;
  }

  /** The position up to which the text was read. */
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
      // Names are compared after unescaping: "\u0069ss" is a duplicate of "iss".
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

  /** Scans a value and what follows it. Sets `more` if that is a comma; clears it at the end of the container. */
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
