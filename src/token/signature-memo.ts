// Remembers which signatures have been verified. One token is verified by many parties of a workflow, and its signature
// is most of the cost each time. Only good signatures are remembered, never verdicts: every other step is run again.

import type { TrustedKey } from '../keys/index.ts';

/** Characters of tokens that one generation holds: about 8 MB, some thousands of tokens. */
const GENERATION_CHARACTERS = 4_000_000;

/** A token is told from others by its end, the signature: hashing all of it would cost three times as much. */
const NAME_CHARACTERS = 86;

interface Verified {
  readonly token: string;
  readonly key: TrustedKey;
}

export class SignatureMemo {
  readonly #limit: number;
  #young = new Map<string, Verified>();
  #old = new Map<string, Verified>();
  #characters = 0;

  constructor(generationCharacters = GENERATION_CHARACTERS) {
    this.#limit = generationCharacters;
  }

  /** Whether exactly this text was verified under exactly this key, as far as it is remembered. */
  holds(token: string, key: TrustedKey): boolean {
    const name = token.slice(-NAME_CHARACTERS);
    if (isOf(this.#young.get(name), token, key)) return true;
    const verified = this.#old.get(name);
    if (!isOf(verified, token, key)) return false;
    this.#keep(name, verified);
    return true;
  }

  /** Remembers a signature that has been verified. What was not asked for during a whole generation is forgotten. */
  remember(token: string, key: TrustedKey): void {
    this.#keep(token.slice(-NAME_CHARACTERS), { token, key });
  }

  #keep(name: string, verified: Verified): void {
    this.#young.set(name, verified);
    this.#characters += verified.token.length;
    if (this.#characters < this.#limit) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#characters = 0;
  }
}

/** Names are not unique: only the whole text and the very key count. */
function isOf(verified: Verified | undefined, token: string, key: TrustedKey): verified is Verified {
  return verified !== undefined && verified.token === token && verified.key === key;
}
