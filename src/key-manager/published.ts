// What follows from the states of keys: which of them are published, and which are trusted for what.

import type { PublishedJwk, TrustedKey } from '../keys/index.ts';
import { endOf, type KeyRecord } from './key-states.ts';

/** How long a key outlives its last signature. */
export interface Retention {
  /** Longest lifetime of a token. */
  readonly maxLifetimeSeconds: number;
  /** What clocks may differ by, and at least how long another process may sign on with a key that has retired. */
  readonly skewSeconds: number;
}

/** The keys of the key set: all but those that are revoked, or whose last token has expired at the earliest time that it can be. */
export function publishedKeys(
  keys: readonly KeyRecord[],
  retention: Retention,
  earliestMs: number,
): readonly KeyRecord[] {
  return keys.filter((key) => key.state !== 'revoked' && earliestMs < forgottenAt(key, retention));
}

export function asPublishedJwk({ jwk, certificate }: KeyRecord): PublishedJwk {
  return certificate === undefined ? jwk : { ...jwk, ect_certificate: certificate.text };
}

/**
 * A key for the ring of verifiers. One that ended long ago stays in it: it still answers for what was signed in its time.
 * `nowMs` is when this process learns of the key, and of a revocation: where its clock is late, or that of who recorded it was
 * ahead, the key is known, or rejected, from now on.
 */
export function asTrustedKey(
  key: KeyRecord,
  speaksFor: (iss: string) => boolean,
  retention: Retention,
  nowMs: number,
): TrustedKey {
  const { kid, publicKey, generation, announcedAtMs, revoked } = key;
  const end = endOf(key);
  return {
    kid,
    publicKey,
    speaksFor,
    // The first key of a ledger may have signed before anybody announced keys, and that is evidence still.
    ...(generation === 0
      ? {}
      : { notBefore: Math.floor(Math.min(announcedAtMs, nowMs) / 1000) - retention.skewSeconds }),
    ...(end === undefined
      ? {}
      : {
          signsUntil: Math.floor(end / 1000) + retention.skewSeconds,
          notAfter: Math.ceil(forgottenAt(key, retention) / 1000),
        }),
    ...(revoked === undefined ? {} : { revokedAt: Math.floor(Math.min(revoked.sinceMs, nowMs) / 1000) }),
  };
}

/** When the last token that it may have signed has expired for everybody. */
export function forgottenAt(key: KeyRecord, retention: Retention): number {
  const end = endOf(key);
  return end === undefined ? Number.POSITIVE_INFINITY : end + retentionMs(retention);
}

/** How long after its end the last token of a key may be valid for somebody, in milliseconds. */
export function retentionMs({ maxLifetimeSeconds, skewSeconds }: Retention): number {
  return (maxLifetimeSeconds + skewSeconds) * 1000;
}
