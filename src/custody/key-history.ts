// The ring of signing keys as the ledger's entries tell it: a fold over them, in order. An entry that breaks a rule
// changes nothing and is a fault: no key is ever trusted for the sake of one.

import type { KeyObject } from 'node:crypto';
import { type Kid, type PublicJwk, readPublicJwk } from '../keys/index.ts';
import { type Certificate, openCertificate } from './certificate.ts';
import type { KeyEntry, KeyState } from './key-entry.ts';

/** What is known of one key. Times are milliseconds since the epoch. */
export interface KeyRecord {
  readonly kid: Kid;
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
  /** The number of a root key, from 0. Undefined for a delegated key. */
  readonly generation: number | undefined;
  /** Of a delegated key: its certificate, and what that says. */
  readonly certificate: { readonly text: string; readonly says: Certificate } | undefined;
  readonly locator: string | undefined;
  readonly state: KeyState;
  readonly announcedAtMs: number;
  readonly useFromMs: number;
  readonly activeAtMs: number | undefined;
  readonly retiredAtMs: number | undefined;
  readonly revoked: { readonly atMs: number; readonly sinceMs: number } | undefined;
  /** The last change: who, why, and its entry. */
  readonly by: string;
  readonly note: string;
  readonly index: number;
}

export class KeyHistory {
  readonly #keys = new Map<string, KeyRecord>();
  readonly #roots: Kid[] = [];
  readonly #issuer: string | undefined;

  /** Where `issuer` is said, delegated keys must be certified for it. */
  constructor(issuer?: string) {
    this.#issuer = issuer;
  }

  get(kid: string): KeyRecord | undefined {
    return this.#keys.get(kid);
  }

  /** Every key, in the order in which they were announced. */
  all(): readonly KeyRecord[] {
    return [...this.#keys.values()];
  }

  /** The root keys, by number. */
  roots(): readonly KeyRecord[] {
    return this.#roots.map((kid) => this.#keys.get(kid) as KeyRecord);
  }

  /** Takes the next entry. Answers a sentence, and changes nothing, where it breaks a rule. */
  add(entry: KeyEntry): string | undefined {
    const fault = entry.state === 'announced' ? this.#announce(entry) : this.#change(entry);
    return fault === undefined ? undefined : `key ${entry.kid}: ${fault}`;
  }

  #announce(entry: KeyEntry): string | undefined {
    const { kid, jwk, generation, certificate, use_from: useFromMs, recorded_at: announcedAtMs } = entry;
    if (this.#keys.has(kid)) return 'it was announced before';
    const key = readPublicJwk({ ...jwk });
    if (key?.jwk.kid !== kid || useFromMs === undefined) return 'its announcement does not describe it';
    if ((generation === undefined) === (certificate === undefined)) return 'it is neither a root key nor certified';
    if (generation !== undefined && generation !== this.#roots.length) return 'it is not the next root key';
    const opened = certificate === undefined ? undefined : this.#certificateOf(entry, certificate);
    if (typeof opened === 'string') return opened;
    this.#keys.set(kid, {
      ...key,
      kid,
      generation,
      certificate: opened,
      locator: entry.locator,
      state: 'announced',
      announcedAtMs,
      useFromMs,
      activeAtMs: undefined,
      retiredAtMs: undefined,
      revoked: undefined,
      ...lastChange(entry),
    });
    if (generation !== undefined) this.#roots.push(kid);
    return undefined;
  }

  #certificateOf({ kid, recorded_at: nowMs }: KeyEntry, text: string): KeyRecord['certificate'] | string {
    const says = openCertificate(text, (rootKid) => {
      const root = this.#keys.get(rootKid);
      return root?.generation === undefined ? undefined : root.publicKey;
    });
    if (says === undefined) return 'its certificate is not of a root key that was announced';
    if (says.jwk.kid !== kid) return 'its certificate is about another key';
    if (this.#issuer !== undefined && says.iss !== this.#issuer) return 'its certificate is for another issuer';
    if (says.exp * 1000 <= nowMs) return 'its certificate had ended when it was announced';
    const { state } = this.#keys.get(says.rootKid) as KeyRecord;
    if (state !== 'active') return `the root key that certified it was ${state}`;
    return { text, says };
  }

  #change(entry: KeyEntry): string | undefined {
    const { kid, state, recorded_at: atMs } = entry;
    const before = this.#keys.get(kid);
    if (before === undefined) return `it is ${state} but was never announced`;
    if (!FOLLOWS[before.state].includes(state)) return `it cannot be ${state} after it was ${before.state}`;
    const isEarly = state === 'active' && atMs < before.useFromMs;
    if (isEarly && (entry.urgent !== true || before.generation === undefined)) {
      return 'it is active before it was announced for';
    }
    const after = { ...before, state, ...lastChange(entry) };
    if (state === 'active') {
      this.#keys.set(kid, { ...after, activeAtMs: atMs, useFromMs: Math.min(before.useFromMs, atMs) });
    } else if (state === 'retired') this.#keys.set(kid, { ...after, retiredAtMs: atMs });
    else this.#revoke(after, { atMs, sinceMs: Math.min(entry.compromised_since ?? atMs, atMs) });
    return undefined;
  }

  /** Whatever a compromised root key certified may be of somebody else's making. */
  #revoke(key: KeyRecord, revoked: KeyRecord['revoked']): void {
    this.#keys.set(key.kid, { ...key, state: 'revoked', revoked });
    if (key.generation === undefined) return;
    for (const other of this.#keys.values()) {
      if (other.certificate?.says.rootKid === key.kid && other.state !== 'revoked') {
        this.#keys.set(other.kid, { ...other, state: 'revoked', revoked });
      }
    }
  }
}

const FOLLOWS: Readonly<Record<KeyState, readonly KeyState[]>> = {
  // Retired without having signed: a later key was needed first.
  announced: ['active', 'retired', 'revoked'],
  active: ['retired', 'revoked'],
  retired: ['revoked'],
  revoked: [],
};

function lastChange({ iss: by, note, index }: KeyEntry): Pick<KeyRecord, 'by' | 'note' | 'index'> {
  return { by, note, index };
}

/** When a key stopped signing, or will: retired, or past what its certificate allows. Undefined: not in sight. */
export function endOf({ retiredAtMs, certificate }: KeyRecord): number | undefined {
  const certified = certificate === undefined ? undefined : certificate.says.exp * 1000;
  if (retiredAtMs === undefined || certified === undefined) return retiredAtMs ?? certified;
  return Math.min(retiredAtMs, certified);
}
