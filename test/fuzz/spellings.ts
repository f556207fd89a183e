// JSON in other spellings than the shortest one.

import { fc } from '../support/random.ts';

/** How a text is spelled: what stands between members, and whether strings are escaped throughout. */
export interface Spelling {
  readonly blank: string;
  readonly isEscaped: boolean;
}

export const spellings: fc.Arbitrary<Spelling> = fc.record({
  blank: fc.constantFrom('', '', ' ', '\n', '\t ', '\r\n'),
  isEscaped: fc.boolean(),
});

/** The JSON of a value, with blanks wherever the grammar has room for them. */
export function spell(value: unknown, spelling: Spelling): string {
  const { blank, isEscaped } = spelling;
  const word = (text: string) => (isEscaped ? inEscapes(text) : JSON.stringify(text));
  const nested = (item: unknown) => spell(item, spelling);
  const list = (items: readonly string[]) => `${blank}${items.join(`${blank},${blank}`)}${blank}`;
  if (typeof value === 'string') return word(value);
  if (Array.isArray(value)) return `[${list(value.map(nested))}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${list(members.map(([name, item]) => `${word(name)}${blank}:${blank}${nested(item)}`))}}`;
}

function inEscapes(text: string): string {
  const units = text.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}
