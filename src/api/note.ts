// Why an administrator does something, in words of its own.

import { MAX_NOTE_CHARACTERS } from '../calls/message-limits.ts';
import { demand } from './invalid.ts';

const TEXT = new RegExp(`^[^\\p{Cc}\\p{Cs}]{0,${MAX_NOTE_CHARACTERS}}$`, 'u');

/** Whether a text may stand in a line, and is as short as a note. */
export function isText(text: string): boolean {
  return TEXT.test(text);
}

export function checkNote(note: string): void {
  demand(isText(note), 'note', `must have at most ${MAX_NOTE_CHARACTERS} characters and no control characters`);
}
