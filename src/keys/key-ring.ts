// Which keys are trusted, and for whom each one speaks. A key is never trusted for its `kid` alone.

import type { KeyObject } from 'node:crypto';
import type { Rejection } from '../errors.ts';

/** A trusted verification key. Times are seconds since the epoch. */
export interface TrustedKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** The algorithms that it may be used with. Undefined: every one that it fits. */
  readonly algorithms?: readonly string[];
  /** Whether the key may sign in the name of `iss`. */
  speaksFor(iss: string): boolean;
  /** Signs nothing that counts before this second. */
  readonly notBefore?: number;
  /** Signs nothing that counts from this second on. */
  readonly notAfter?: number;
  /** Signs no token whose `iat` lies after this second. */
  readonly signsUntil?: number;
  /** Compromised since this second; 0 if the time is unknown. */
  readonly revokedAt?: number;
}

/** Finds a key by its `kid` that is trusted but not in the ring. */
export type FindPastKey = (kid: string) => Promise<TrustedKey | undefined>;

/**
 * Told that no key for tokens in the name of `iss` has the `kid` of a token: the keys of that issuer may have changed. What is
 * done about it is done in the background. Returns why nothing can be said about the token, where that is so. `iss` is
 * attacker-controlled.
 */
export type OnMissed = (iss: string) => Rejection | undefined;

/** The number of recalled keys that are cached: those that auditors have used recently. */
const MAX_PAST_KEYS = 1000;

/** A set of trusted keys. It is replaced as a whole: a lookup sees either the old set or the new one. */
export class KeyRing {
  #byKid: ReadonlyMap<string, readonly TrustedKey[]>;
  readonly #findPastKey: FindPastKey | undefined;
  readonly #onMissed: OnMissed | undefined;
  #recalled = new Map<string, TrustedKey>();
  /** By `kid`, the second from which on a key is marked as compromised. */
  readonly #compromised = new Map<string, number>();

  /** `findPastKey` finds keys that ended long ago: they still answer for what was signed in their time. */
  constructor(keys: readonly TrustedKey[], findPastKey?: FindPastKey, onMissed?: OnMissed) {
    this.#byKid = groupByKid(keys);
    this.#findPastKey = findPastKey;
    this.#onMissed = onMissed;
  }

  /** From here on these keys are trusted, and no others. */
  replace(keys: readonly TrustedKey[]): void {
    this.#byKid = groupByKid(keys);
    // What was recalled may have been revoked since.
    this.#recalled = new Map();
  }

  /**
   * The key to check a signature with: the one named `kid` that speaks for `iss`. Where only keys of other issuers bear
   * the name, one of these, so that the rejection can say so: whoever accepts a token asks `speaksFor` again.
   */
  find(kid: string, iss: string): TrustedKey | undefined {
    const namesakes = this.#byKid.get(kid);
    const known = namesakes?.find((key) => key.speaksFor(iss));
    if (known !== undefined) return known;
    const recalled = this.#recalled.get(kid);
    return recalled?.speaksFor(iss) === true ? recalled : (namesakes?.[0] ?? recalled);
  }

  /** Whether the ring has a key with this `kid` that is trusted for `iss`. Both are attacker-controlled. */
  holds(kid: string, iss: string): boolean {
    return this.#byKid.get(kid)?.some((key) => key.speaksFor(iss)) === true;
  }

  /** A token was rejected. If no key for it is held, that is told. Returns why nothing can be said about it, where that is so. */
  missed(kid: string, iss: string): Rejection | undefined {
    return this.holds(kid, iss) ? undefined : this.#onMissed?.(iss);
  }

  /** Whatever bears this `kid` is compromised from a second on, forever: a later time that is said for it changes nothing. */
  compromise(kid: string, at: number): void {
    const known = this.#compromised.get(kid);
    if (known === undefined || at < known) this.#compromised.set(kid, at);
  }

  /** From which second on a key is compromised: as it says itself, or as it was marked. Undefined: it is not. */
  compromisedAt({ kid, revokedAt }: Pick<TrustedKey, 'kid' | 'revokedAt'>): number | undefined {
    const marked = this.#compromised.size === 0 ? undefined : this.#compromised.get(kid);
    if (marked === undefined || revokedAt === undefined) return marked ?? revokedAt;
    return Math.min(marked, revokedAt);
  }

  /** Looks for a key that is not held. Returns whether `find` finds one of this name now. `kid` is attacker-controlled. */
  async findPastKey(kid: string): Promise<boolean> {
    if (this.#findPastKey === undefined) return false;
    for (;;) {
      const recalled = this.#recalled;
      const key = await this.#findPastKey(kid);
      if (key === undefined) return this.#byKid.has(kid);
      // Replaced meanwhile: what is known of the key may be older than that.
      if (recalled !== this.#recalled) continue;
      const oldest = recalled.size < MAX_PAST_KEYS ? undefined : recalled.keys().next().value;
      if (oldest !== undefined) recalled.delete(oldest);
      recalled.set(kid, key);
      return true;
    }
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
