// A string instead of a list of strings. Python converts it into a list of its characters without an error: aud="urn:x"
// arrives as "u", "r", "n", ":", "x".

import { demand } from './invalid.ts';

/**
 * Rejects a list with more than one entry of a single character: no URI, UUID or token is so short. A list whose only entry
 * is one character says what the caller meant, also where it was given as a string.
 */
export function demandList(field: string, entries: readonly string[]): void {
  demand(
    !isSpelledOut(entries),
    field,
    'has several entries of one character: a string was given where a list is expected',
  );
}

/**
 * Whether a list is what became of a string.
 * @internal Exported because the rule is tested by itself.
 */
export function isSpelledOut(entries: readonly string[]): boolean {
  let characters = 0;
  for (const entry of entries) {
    if (isOneCharacter(entry)) characters += 1;
    if (characters > 1) return true;
  }
  return false;
}

/** A character has one or two UTF-16 units. */
function isOneCharacter(text: string): boolean {
  return text.length === 1 || (text.length === 2 && Array.from(text).length === 1);
}
