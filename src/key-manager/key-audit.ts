// Audits the keys of a ledger: whether every recorded token was signed by an announced key, within its time; and whether a published key
// set agrees with the ledger.

import type { LedgerRecord } from '../ledger/index.ts';
import { readKeyEntry } from './key-entry.ts';
import { KeyHistory } from './key-history.ts';
import { endOf, type KeyRecord } from './key-states.ts';

/** A recorded token, from its leaf. */
export interface KeyUse {
  readonly index: number;
  readonly kid: string;
  readonly iss: string;
  /** Seconds. */
  readonly iat: number;
  readonly recordedAtMs: number;
}

/** A key that signed recorded tokens and was not announced before the first of them. */
export interface UnknownKey {
  readonly kid: string;
  readonly iss: string;
  readonly firstIndex: number;
  readonly count: number;
}

/** The maximum difference of clocks. */
const SKEW_MS = 30_000;
/** Changes this close to the reading of the key set may be missing from it. */
const GRACE_MS = 60_000;

/** Reads the records of a ledger in order. */
export class KeyAudit {
  readonly #history = new KeyHistory();
  readonly #unknown = new Map<string, UnknownKey>();
  readonly #isForeign: (iss: string) => boolean;
  #hasKeys = false;
  #usesBefore = 0;

  /** `isForeign`: whether the tokens of an issuer are signed by keys of another party that the operator trusts. */
  constructor(isForeign: (iss: string) => boolean) {
    this.#isForeign = isForeign;
  }

  /** Adds an entry about a key. Returns a message if it violates a rule. */
  takeKey(record: LedgerRecord): string | undefined {
    this.#hasKeys = true;
    return this.#history.add(readKeyEntry(record));
  }

  /** Adds a recorded token. Returns a message if its key was announced, but not for that time. */
  takeUse({ index, kid, iss, iat, recordedAtMs }: KeyUse): string | undefined {
    if (!this.#hasKeys) {
      this.#usesBefore += 1;
      return undefined;
    }
    const key = this.#history.get(kid);
    if (key === undefined) {
      const known = this.#unknown.get(kid) ?? { kid, iss, firstIndex: index, count: 0 };
      if (!this.#isForeign(iss)) this.#unknown.set(kid, { ...known, count: known.count + 1 });
      return undefined;
    }
    const fault = misuseOf(key, iat * 1000, recordedAtMs);
    return fault === undefined ? undefined : `key ${kid}: ${fault}`;
  }

  /** Every announced key. */
  get keys(): readonly KeyRecord[] {
    return this.#history.all();
  }

  /** Keys that were used without an announcement. */
  get unknown(): readonly UnknownKey[] {
    return [...this.#unknown.values()];
  }

  /** Tokens from before the first announcement, whose keys cannot be checked. */
  get usesBefore(): number {
    return this.#usesBefore;
  }

  /** Compares a key set, read at `readAtMs`, with the ledger: a message for each difference. */
  compareKeySet(keySet: string, readAtMs: number): readonly string[] {
    const published = readKeySet(keySet);
    if (published === undefined) return ['the key set is not a JWK Set'];
    const faults = published.flatMap((jwk) => {
      const key = this.#history.get(jwk.kid);
      if (key === undefined) return [`the key set has the key ${jwk.kid}, which the ledger never announced`];
      const isSame = jwk.x === key.jwk.x && jwk.y === key.jwk.y && jwk.ect_certificate === key.certificate?.text;
      if (!isSame) return [`the key set has another key or certificate under ${jwk.kid} than the ledger`];
      const isLate = key.revoked !== undefined && key.revoked.atMs + GRACE_MS < readAtMs;
      return isLate ? [`the key set still has the key ${jwk.kid}, which is revoked`] : [];
    });
    const kids = new Set(published.map(({ kid }) => kid));
    const missing = this.keys.filter((key) => isDue(key, readAtMs) && !kids.has(key.kid));
    return [...faults, ...missing.map(({ kid }) => `the key set lacks the key ${kid}, which is in force`)];
  }
}

function misuseOf(key: KeyRecord, iatMs: number, recordedAtMs: number): string | undefined {
  const end = endOf(key);
  // The first key signed before releases that announce keys.
  const isFirst = key.generation === 0;
  if (!isFirst && iatMs + 999 < key.useFromMs - SKEW_MS) return 'it signed the token before it was announced for';
  if (end !== undefined && iatMs > end + SKEW_MS) return 'it signed the token after it had ended';
  if (key.revoked !== undefined && recordedAtMs > key.revoked.atMs + SKEW_MS) return 'it had been revoked';
  return undefined;
}

/** Whether a key must be in a key set that was read at this time. */
function isDue(key: KeyRecord, readAtMs: number): boolean {
  const isInForce = key.state === 'announced' || key.state === 'active';
  return isInForce && key.announcedAtMs + GRACE_MS < readAtMs && readAtMs < (endOf(key) ?? Number.POSITIVE_INFINITY);
}

type ReadJwk = Readonly<Record<'kid' | 'x' | 'y', string>> & { readonly ect_certificate?: string };

function readKeySet(text: string): readonly ReadJwk[] | undefined {
  try {
    const { keys } = JSON.parse(text) as { readonly keys?: unknown };
    const isJwk = (jwk: unknown): jwk is ReadJwk => typeof (jwk as ReadJwk | null)?.kid === 'string';
    return Array.isArray(keys) && keys.every(isJwk) ? keys : undefined;
  } catch {
    return undefined;
  }
}
