// Caches recent decisions by everything that they can depend on. Limited in number and in bytes, because callers choose the names
// in a request.

import type { Decision } from '../authority/index.ts';

const MAX_DECISIONS = 10_000;
/** Decisions with longer keys are not cached. */
const MAX_KEY_CHARACTERS = 2_048;

/** Two halves: used entries move to the younger one, and when that is full the older one is dropped. */
export class DecisionCache {
  readonly #half: number;
  #younger = new Map<string, Decision>();
  #older = new Map<string, Decision>();

  constructor(max: number = MAX_DECISIONS) {
    this.#half = Math.ceil(max / 2);
  }

  get(key: string): Decision | undefined {
    const decision = this.#younger.get(key);
    if (decision !== undefined) return decision;
    const before = this.#older.get(key);
    if (before !== undefined) this.put(key, before);
    return before;
  }

  put(key: string, decision: Decision): void {
    if (key.length > MAX_KEY_CHARACTERS) return;
    if (this.#younger.size >= this.#half) [this.#older, this.#younger] = [this.#younger, new Map()];
    this.#younger.set(key, decision);
  }

  get size(): number {
    return this.#younger.size + this.#older.size;
  }
}

/** An unambiguous text for a list of texts. */
export function keyOf(parts: readonly string[]): string {
  let key = '';
  for (const part of parts) key += `${part.length}:${part}`;
  return key;
}
