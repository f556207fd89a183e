// Checks a public key of another party, as a JSON Web Key (RFC 7517), before it is trusted. Anything ambiguous is rejected.

import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { ALGORITHMS, type Algorithm } from './algorithms.ts';
import { hasMoreCharacters } from './characters.ts';
import { contradictionOf } from './jwk-purpose.ts';

/** A published key. Times are seconds since the epoch. */
export interface TrustedJwk {
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** The permitted algorithms: one, unless the key does not name it. That of an Ed25519 key has two names. */
  readonly algorithms: readonly string[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly revokedAt?: number;
}

export const MAX_KID_CHARACTERS = 256;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** The algorithm of each kind of key. Other kinds, such as symmetric keys, have none. */
const MATERIAL: Readonly<Record<string, Material>> = {
  'EC P-256': { names: ['ES256'], members: ['x', 'y'] },
  'EC P-384': { names: ['ES384'], members: ['x', 'y'] },
  'OKP Ed25519': { names: ['EdDSA', 'Ed25519'], members: ['x'], isOne: true },
  RSA: { names: ['PS256', 'RS256'], members: ['n', 'e'] },
};

interface Material {
  /** The names of its algorithm in a header. */
  readonly names: readonly string[];
  /** The names of one algorithm. */
  readonly isOne?: true;
  readonly members: readonly string[];
}

const TIMES = { nbf: 'notBefore', exp: 'notAfter', revoked_at: 'revokedAt' } as const;

/**
 * Reads a key for one of these algorithms, or returns why it is rejected. Besides the members of RFC 7517 a key may have `nbf`, `exp` and
 * `revoked_at`, in seconds since the epoch.
 */
export function readTrustedJwk(
  jwk: Readonly<Record<string, unknown>>,
  allowed: ReadonlyMap<string, Algorithm> = ALGORITHMS,
): TrustedJwk | string {
  const { kid } = jwk;
  if (typeof kid !== 'string' || kid === '' || hasMoreCharacters(kid, MAX_KID_CHARACTERS)) {
    return `kid must be a text of 1 to ${MAX_KID_CHARACTERS} characters`;
  }
  const secret = PRIVATE_MEMBERS.find((member) => Object.hasOwn(jwk, member));
  if (secret !== undefined) return `it has the private member ${secret}: give the public key only`;
  return contradictionOf(jwk, { operations: ['verify'] }) ?? readMaterial(kid, jwk, allowed);
}

function readMaterial(
  kid: string,
  jwk: Readonly<Record<string, unknown>>,
  allowed: ReadonlyMap<string, Algorithm>,
): TrustedJwk | string {
  const kind = jwk['kty'] === 'RSA' ? 'RSA' : `${String(jwk['kty'])} ${String(jwk['crv'])}`;
  const material = Object.hasOwn(MATERIAL, kind) ? MATERIAL[kind] : undefined;
  if (material === undefined) return 'it must be of kty EC (P-256, P-384), OKP (Ed25519) or RSA';
  const { members, isOne } = material;
  const names = material.names.filter((name) => allowed.has(name));
  const contradiction = contradictionOf(jwk, { algorithms: names });
  if (contradiction !== undefined) return contradiction;
  const { alg = names[0] } = jwk as { readonly alg?: string };
  const publicKey = createKey(jwk, members);
  if (publicKey === undefined) return `${members.join(' and ')} are no public key of its kind`;
  if (allowed.get(alg!)?.fits(publicKey) !== true) return `it is too weak, or too large, for ${alg}`;
  const times = readTimes(jwk);
  if (typeof times === 'string') return times;
  const algorithms = jwk['alg'] === undefined || isOne === true ? names : [alg!];
  return { kid, publicKey, algorithms, ...times };
}

/** Undefined if the members are not a point of the curve. Node checks the point. */
function createKey(jwk: Readonly<Record<string, unknown>>, members: readonly string[]): KeyObject | undefined {
  try {
    const known = ['kty', 'crv', ...members].filter((member) => Object.hasOwn(jwk, member));
    const key = Object.fromEntries(known.map((member) => [member, jwk[member]])) as JsonWebKey;
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function readTimes(
  jwk: Readonly<Record<string, unknown>>,
): Pick<TrustedJwk, 'notBefore' | 'notAfter' | 'revokedAt'> | string {
  const times: { notBefore?: number; notAfter?: number; revokedAt?: number } = {};
  for (const [member, time] of Object.entries(TIMES)) {
    const value = jwk[member];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || (value as number) < 0) return `${member} must be an integer of seconds`;
    times[time] = value as number;
  }
  return times;
}
