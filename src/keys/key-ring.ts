// Which keys are trusted, and for whom each one speaks. A key is never trusted for its `kid` alone.

import type { KeyObject } from 'node:crypto';

/** A trusted verification key. Times are seconds since the epoch. */
export interface TrustedKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** Whether the key may sign in the name of `iss`. */
  speaksFor(iss: string): boolean;
  /** Signs nothing that counts before this second. */
  readonly notBefore?: number;
  /** Signs nothing that counts from this second on. */
  readonly notAfter?: number;
  /** Signs no token whose `iat` lies after this second. */
  readonly signsUntil?: number;
  /** Was declared compromised as of this second; 0 where nobody knows since when. */
  readonly revokedAt?: number;
}

/** A set of trusted keys. It may be replaced as a whole: whoever asks sees the old set or the new one. */
export class KeyRing {
  #byKid: ReadonlyMap<string, readonly TrustedKey[]>;

  constructor(keys: readonly TrustedKey[]) {
    this.#byKid = groupByKid(keys);
  }

  /** From here on these keys are trusted, and no others. */
  replace(keys: readonly TrustedKey[]): void {
    this.#byKid = groupByKid(keys);
  }

  /**
   * The key to check a signature with: the one named `kid` that speaks for `iss`. Where only keys of other issuers bear
   * the name, one of these, so that the refusal can say so: whoever accepts a token asks `speaksFor` again.
   */
  find(kid: string, iss: string): TrustedKey | undefined {
    const namesakes = this.#byKid.get(kid);
    return namesakes?.find((key) => key.speaksFor(iss)) ?? namesakes?.[0];
  }
}

function groupByKid(keys: readonly TrustedKey[]): ReadonlyMap<string, readonly TrustedKey[]> {
  const byKid = new Map<string, TrustedKey[]>();
  for (const key of keys) {
    const namesakes = byKid.get(key.kid);
    if (namesakes === undefined) byKid.set(key.kid, [key]);
    else namesakes.push(key);
  }
  return byKid;
}
