// Detects a string that was passed as a list of strings. Python converts it silently into a list of its characters: aud="urn:x" arrives
// as "u", "r", "n", ":", "x".

import { demand } from './invalid.ts';

/**
 * Rejects a list with more than one entry if each entry is a single character: no URI, UUID or token is that short. A list with one entry
 * of one character is accepted, because it has the intended meaning even if it was a string.
 */
export function demandList(field: string, entries: readonly string[]): void {
  demand(
    !isSpelledOut(entries),
    field,
    'has several entries of one character: a string was given where a list is expected',
  );
}

/**
 * Whether a list looks like the characters of a string.
 *
 * @internal Exported because the rule has tests of its own.
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
