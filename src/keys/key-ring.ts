// The trusted keys, and the issuers that each may sign for. A key is never trusted for its `kid` alone.

import type { KeyObject } from 'node:crypto';
import type { Rejection } from '../errors.ts';

/** A trusted verification key. Times are seconds since the epoch. */
export interface TrustedKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** The permitted algorithms. Undefined: every one that it fits. */
  readonly algorithms?: readonly string[];
  /** Whether the key may sign in the name of `iss`. */
  speaksFor(iss: string): boolean;
  /** Its signatures count from this second on. */
  readonly notBefore?: number;
  /** Its signatures do not count from this second on. */
  readonly notAfter?: number;
  /** The latest `iat` of its tokens. */
  readonly signsUntil?: number;
  /** Compromised since this second; 0 if the time is unknown. */
  readonly revokedAt?: number;
}

/** Finds a key by its `kid` that is trusted but not in the ring. */
export type FindPastKey = (kid: string) => Promise<TrustedKey | undefined>;

/**
 * Called if no key of `iss` has the `kid` of a token: the keys of that issuer may have changed, and are fetched in the background.
 * Returns the rejection if no verdict is possible meanwhile. `iss` is attacker-controlled.
 */
export type OnMissed = (iss: string) => Rejection | undefined;

/** How many past keys are cached: those that auditors have used recently. */
const MAX_PAST_KEYS = 1000;

/** A set of trusted keys. It is replaced as a whole: a lookup sees either the old set or the new one. */
export class KeyRing {
  #byKid: ReadonlyMap<string, readonly TrustedKey[]>;
  readonly #findPastKey: FindPastKey | undefined;
  readonly #onMissed: OnMissed | undefined;
  #pastKeys = new Map<string, TrustedKey>();
  /** By `kid`, the second since which a key is marked as compromised. */
  readonly #compromised = new Map<string, number>();

  /** `findPastKey` finds keys that ended long ago: they still verify signatures of their time. */
  constructor(keys: readonly TrustedKey[], findPastKey?: FindPastKey, onMissed?: OnMissed) {
    this.#byKid = groupByKid(keys);
    this.#findPastKey = findPastKey;
    this.#onMissed = onMissed;
  }

  /** Replaces the trusted keys. */
  replace(keys: readonly TrustedKey[]): void {
    this.#byKid = groupByKid(keys);
    // A cached past key may have been revoked since.
    this.#pastKeys = new Map();
  }

  /**
   * The key with this `kid` that speaks for `iss`. If only keys of other issuers have the `kid`, one of these, so that the
   * rejection can name the cause: callers check `speaksFor` again.
   */
  find(kid: string, iss: string): TrustedKey | undefined {
    const namesakes = this.#byKid.get(kid);
    const known = namesakes?.find((key) => key.speaksFor(iss));
    if (known !== undefined) return known;
    const past = this.#pastKeys.get(kid);
    return past?.speaksFor(iss) === true ? past : (namesakes?.[0] ?? past);
  }

  /** Whether the ring has a key with this `kid` that is trusted for `iss`. Both are attacker-controlled. */
  holds(kid: string, iss: string): boolean {
    return this.#byKid.get(kid)?.some((key) => key.speaksFor(iss)) === true;
  }

  /** Called for a rejected token. If its key is unknown, calls `onMissed` and returns its result. */
  missed(kid: string, iss: string): Rejection | undefined {
    return this.holds(kid, iss) ? undefined : this.#onMissed?.(iss);
  }

  /** Marks every key with this `kid` as compromised since a second, permanently: a later time changes nothing. */
  compromise(kid: string, at: number): void {
    const known = this.#compromised.get(kid);
    if (known === undefined || at < known) this.#compromised.set(kid, at);
  }

  /** Since which second a key is compromised, by its own entry or by a mark. Undefined: it is not. */
  compromisedAt({ kid, revokedAt }: Pick<TrustedKey, 'kid' | 'revokedAt'>): number | undefined {
    const marked = this.#compromised.size === 0 ? undefined : this.#compromised.get(kid);
    if (marked === undefined || revokedAt === undefined) return marked ?? revokedAt;
    return Math.min(marked, revokedAt);
  }

  /** Searches for a past key. Returns whether `find` finds a key with this `kid` now. `kid` is attacker-controlled. */
  async findPastKey(kid: string): Promise<boolean> {
    if (this.#findPastKey === undefined) return this.#byKid.has(kid);
    for (;;) {
      const pastKeys = this.#pastKeys;
      const key = await this.#findPastKey(kid);
      if (key === undefined) return this.#byKid.has(kid);
      // The keys were replaced meanwhile: the state of this key may be older.
      if (pastKeys !== this.#pastKeys) continue;
      const oldest = pastKeys.size < MAX_PAST_KEYS ? undefined : pastKeys.keys().next().value;
      if (oldest !== undefined) pastKeys.delete(oldest);
      pastKeys.set(kid, key);
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
