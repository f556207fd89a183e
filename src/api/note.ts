// The note in which an administrator says why something is done.

import { MAX_NOTE_CHARACTERS } from '../calls/message-limits.ts';
import { demand } from './invalid.ts';

const TEXT = new RegExp(`^[^\\p{Cc}\\p{Cs}]{0,${MAX_NOTE_CHARACTERS}}$`, 'u');

/** Whether `text` has no line breaks or control characters, and is not longer than a note may be. */
export function isText(text: string): boolean {
  return TEXT.test(text);
}

export function checkNote(note: string): void {
  demand(isText(note), 'note', `must have at most ${MAX_NOTE_CHARACTERS} characters and no control characters`);
}
