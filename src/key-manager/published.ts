// Determines which keys are published, and which are trusted for what.

import type { PublishedJwk, TrustedKey } from '../keys/index.ts';
import { endOf, type KeyRecord } from './key-states.ts';

/** How long a key is kept after its last signature. */
export interface Retention {
  /** The longest lifetime of a token. */
  readonly maxLifetimeSeconds: number;
  /** The maximum clock skew, and the minimum time for which another process may still sign with a retired key. */
  readonly skewSeconds: number;
}

/** The keys of the key set: all except revoked keys and keys whose last token has expired by the earliest plausible time. */
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
 * A key for the key ring. A key that expired long ago stays in it, because it still verifies tokens of its time. `nowMs` is when this
 * process learns of the key, or of a revocation. If its clock is behind, or the clock of the recording process was ahead, the key is
 * trusted, or revoked, from now on.
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
    // The first key of a ledger may have signed before releases that announce keys, and those tokens are still evidence.
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

/** When the last token that it may have signed has expired for every verifier. */
export function forgottenAt(key: KeyRecord, retention: Retention): number {
  const end = endOf(key);
  return end === undefined ? Number.POSITIVE_INFINITY : end + retentionMs(retention);
}

/** How long after its end the last token of a key may be valid for a verifier, in milliseconds. */
export function retentionMs({ maxLifetimeSeconds, skewSeconds }: Retention): number {
  return (maxLifetimeSeconds + skewSeconds) * 1000;
}
