// Public keys in their published form: JSON Web Keys (RFC 7517), thumbprints (RFC 7638), the JWK Set.

import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { exportJWK } from 'jose';
import { contradictionOf, type Purpose } from './jwk-purpose.ts';

/** A `kid` of this service: the RFC 7638 SHA-256 thumbprint of the public key, 43 characters of base64url. */
export type Kid = string & { readonly brand: 'Kid' };

/** A published ES256 verification key. Its type has no private member. */
export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: Kid;
  readonly alg: 'ES256';
  readonly use: 'sig';
}

/** Describes a P-256 key, private or public. Throws TypeError for any other key. */
export async function describePublicKey(
  key: KeyObject,
): Promise<{ readonly publicKey: KeyObject; readonly jwk: PublicJwk }> {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const { kty, crv, x, y } = await exportJWK(publicKey);
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) {
    throw new TypeError('an ES256 key must be on P-256');
  }
  return { publicKey, jwk: publicJwkOf(x, y) };
}

/**
 * Reads a key of this service from its published form; undefined for anything invalid: a point off the curve, a `kid` that is not its
 * thumbprint, a `use`, `key_ops` or `alg` of another purpose. Other members are ignored and dropped.
 */
export function readPublicJwk(
  value: Readonly<Record<string, unknown>>,
): { readonly publicKey: KeyObject; readonly jwk: PublicJwk } | undefined {
  const { kty, crv, x, y, kid } = value;
  if (contradictionOf(value, PURPOSE) !== undefined) return undefined;
  if (kty !== 'EC' || crv !== 'P-256' || typeof x !== 'string' || typeof y !== 'string') return undefined;
  const jwk = publicJwkOf(x, y);
  if (jwk.kid !== kid) return undefined;
  try {
    return { jwk, publicKey: createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' }) };
  } catch {
    // Not a point of the curve.
    return undefined;
  }
}

const PURPOSE: Purpose = { algorithms: ['ES256'], operations: ['verify'] };

function publicJwkOf(x: string, y: string): PublicJwk {
  // RFC 7638, 3: the required members in the order of their names, without spaces.
  const kid = hash('sha256', `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`, 'base64url') as Kid;
  return { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' };
}

/** A key in the JWK Set. */
export interface PublishedJwk extends PublicJwk {
  /** Of a delegated key: its certificate, a compact JWS of type `ect-key+jwt`. */
  readonly ect_certificate?: string;
}

/** The JWK Set document, byte for byte as it is served. */
export function writeKeySet(keys: readonly PublishedJwk[]): string {
  return JSON.stringify({ keys });
}
