// The state of one signing key after each entry of the ledger. For an entry that violates a rule the result is a message, and the state
// does not change.

import type { KeyObject } from 'node:crypto';
import { type Kid, type PublicJwk, readPublicJwk } from '../keys/index.ts';
import { type Certificate, openCertificate } from './certificate.ts';
import type { KeyEntry, KeyState } from './key-entry.ts';

/** The state of one key. Times are milliseconds since the epoch. */
export interface KeyRecord {
  readonly kid: Kid;
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
  /** The number of a root key, from 0. Undefined for a delegated key. */
  readonly generation: number | undefined;
  /** Of a delegated key: its certificate, and the content of that. */
  readonly certificate: { readonly text: string; readonly says: Certificate } | undefined;
  readonly locator: string | undefined;
  readonly state: KeyState;
  readonly announcedAtMs: number;
  /** The entry that announced it. */
  readonly announcedIndex: number;
  readonly useFromMs: number;
  readonly activeAtMs: number | undefined;
  readonly retiredAtMs: number | undefined;
  readonly revoked: Revocation | undefined;
  /** The requests that announced and activated it (KeyStatement). */
  readonly requests: readonly string[];
  /** Whether a request activated it before its announced time. */
  readonly isUrgent: boolean;
  /** The last change: its author, reason and entry. */
  readonly by: string;
  readonly note: string;
  readonly index: number;
}

export interface Revocation {
  readonly atMs: number;
  readonly sinceMs: number;
}

/** The context of an announcement. */
export interface Surroundings {
  /** The number of root keys. */
  readonly rootCount: number;
  /** The issuer that delegated keys must be certified for; undefined: any. */
  readonly issuer: string | undefined;
  /** A root key right before this entry. */
  rootBefore(kid: string, index: number): { readonly publicKey: KeyObject; readonly state: KeyState } | undefined;
}

/** The state of a key after its announcement. */
export function announce(entry: KeyEntry, around: Surroundings): KeyRecord | string {
  const { kid, jwk, generation, certificate, use_from: useFromMs, recorded_at: announcedAtMs } = entry;
  const key = readPublicJwk({ ...jwk });
  if (key?.jwk.kid !== kid || useFromMs === undefined) return 'its announcement does not describe it';
  if ((generation === undefined) === (certificate === undefined)) return 'it is neither a root key nor certified';
  if (generation !== undefined && generation !== around.rootCount) return 'it is not the next root key';
  const opened = certificate === undefined ? undefined : readCertificate(entry, certificate, around);
  if (typeof opened === 'string') return opened;
  return {
    ...key,
    kid,
    generation,
    certificate: opened,
    locator: entry.locator,
    state: 'announced',
    announcedAtMs,
    announcedIndex: entry.index,
    useFromMs,
    activeAtMs: undefined,
    retiredAtMs: undefined,
    revoked: undefined,
    requests: requestsIn(entry),
    isUrgent: false,
    ...lastChange(entry),
  };
}

function readCertificate(entry: KeyEntry, text: string, around: Surroundings): KeyRecord['certificate'] | string {
  const { kid, index } = entry;
  const says = openCertificate(text, (rootKid) => around.rootBefore(rootKid, index)?.publicKey);
  if (says === undefined) return 'its certificate is not of a root key that was announced';
  if (says.jwk.kid !== kid) return 'its certificate is about another key';
  if (around.issuer !== undefined && says.iss !== around.issuer) return 'its certificate is for another issuer';
  const state = around.rootBefore(says.rootKid, index)?.state;
  if (state !== 'active') return `the root key that certified it was ${state}`;
  return { text, says };
}

const FOLLOWS: Readonly<Record<KeyState, readonly KeyState[]>> = {
  // Retired without having signed, because a later key was needed first.
  announced: ['active', 'retired', 'revoked'],
  active: ['retired', 'revoked'],
  retired: ['revoked'],
  revoked: [],
};

/** The state of a key after a change. */
export function change(before: KeyRecord, entry: KeyEntry): KeyRecord | string {
  const { state, recorded_at: atMs } = entry;
  if (!FOLLOWS[before.state].includes(state)) return `it cannot be ${state} after it was ${before.state}`;
  const after = { ...before, state, ...lastChange(entry) };
  if (state === 'active') {
    const isUrgent = entry.urgent === true && before.generation !== undefined;
    const hasWaited = atMs >= before.useFromMs || (entry.waited_ms ?? 0) >= leadMsOf(before);
    if (!hasWaited && !isUrgent) return 'it is active before it was announced for';
    const requests = [...before.requests, ...requestsIn(entry)];
    return {
      ...after,
      requests,
      isUrgent: entry.urgent === true,
      activeAtMs: atMs,
      useFromMs: Math.min(before.useFromMs, atMs),
    };
  }
  if (state === 'retired') return { ...after, retiredAtMs: atMs };
  return { ...after, revoked: { atMs, sinceMs: Math.min(entry.compromised_since ?? atMs, atMs) } };
}

/** How long a key is announced before it signs, in milliseconds. */
export function leadMsOf({ announcedAtMs, useFromMs }: KeyRecord): number {
  return useFromMs - announcedAtMs;
}

/** The state of a delegated key after its root key was revoked: another party may have created the certificate. */
export function fallWith(key: KeyRecord, revoked: Revocation): KeyRecord {
  return key.state === 'revoked' ? key : { ...key, state: 'revoked', revoked };
}

function requestsIn({ request }: KeyEntry): readonly string[] {
  return request === undefined ? [] : [request];
}

function lastChange({ iss: by, note, index }: KeyEntry): Pick<KeyRecord, 'by' | 'note' | 'index'> {
  return { by, note, index };
}

/** When a key stopped signing, or will: retired, or after the end of its certificate. Undefined: unknown. */
export function endOf({ retiredAtMs, certificate }: KeyRecord): number | undefined {
  const certified = certificate === undefined ? undefined : certificate.says.exp * 1000;
  if (retiredAtMs === undefined || certified === undefined) return retiredAtMs ?? certified;
  return Math.min(retiredAtMs, certified);
}
