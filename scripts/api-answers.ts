// What the examples of the API page are answered with, as it was recorded by their test. Tokens and hashes are shortened.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Answer = null | boolean | number | string | readonly Answer[] | { readonly [name: string]: Answer };

export const ANSWERS_FILE = join(import.meta.dirname, 'api-answers.json');

/** By service and method. */
export const ANSWERS: Readonly<Record<string, Answer>> = existsSync(ANSWERS_FILE)
  ? JSON.parse(readFileSync(ANSWERS_FILE, 'utf8'))
  : {};

const MAX_TEXT = 72;
/** Elements of a list beyond these are like them. */
const MAX_ELEMENTS = 3;

/** An answer as the page shows it. */
export function shortened(answer: Answer): Answer {
  // Sentences are there to be read; tokens and hashes are not.
  if (typeof answer === 'string') {
    return answer.length <= MAX_TEXT || answer.includes(' ') ? answer : `${answer.slice(0, MAX_TEXT / 2)}…`;
  }
  if (Array.isArray(answer)) return answer.slice(0, MAX_ELEMENTS).map(shortened);
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, shortened(value)]));
}
