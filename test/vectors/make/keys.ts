// PUBLIC TEST KEYS. Their secrets follow from their names, so everybody has them: nothing real may ever trust one.

import { createHash, createPrivateKey, sign } from 'node:crypto';
import type { Trust, TrustedIssuer } from '../../../src/cli/vectors.ts';
import { type Curve, P256, P384, pointOf, signEcdsa, signPss, writePair } from './ecdsa.ts';
import { PUBLIC_TEST_RSA_KEY } from './rsa-key.ts';

/** A key that signs the same message in the same way every time. */
export interface TestKey {
  readonly kid: string;
  readonly alg: string;
  /** The public key, as a JWK Set publishes it. */
  readonly jwk: Readonly<Record<string, string | number>>;
  sign(message: Buffer): Buffer;
}

export interface EcKey extends TestKey {
  readonly curve: Curve;
  readonly secret: Buffer;
}

function secretOf(name: string, hash: string): Buffer {
  return createHash(hash).update(`public test key of the ECT vectors: ${name}`).digest();
}

function ecKey(name: string, kid: string, curve = P256, times: Readonly<Record<string, number>> = {}): EcKey {
  const secret = secretOf(name, curve.hash);
  const { x, y } = pointOf(curve, secret);
  const alg = curve === P256 ? 'ES256' : 'ES384';
  const point = { kty: 'EC', crv: curve.jwk, x: x.toString('base64url'), y: y.toString('base64url') };
  const jwk = { ...point, kid, alg, use: 'sig', ...times };
  return { kid, alg, jwk, curve, secret, sign: (message) => writePair(signEcdsa(curve, secret, message), curve) };
}

function ed25519Key(name: string, kid: string): TestKey {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secretOf(name, 'sha256')]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { crv, x } = key.export({ format: 'jwk' });
  const jwk = { kty: 'OKP', crv: crv!, x: x!, kid, alg: 'EdDSA', use: 'sig' };
  return { kid, alg: 'EdDSA', jwk, sign: (message) => sign(null, message, key) };
}

function rsaKey(kid: string): TestKey {
  const key = createPrivateKey({ key: PUBLIC_TEST_RSA_KEY, format: 'jwk' });
  const { kty, n, e } = PUBLIC_TEST_RSA_KEY;
  return {
    kid,
    alg: 'PS256',
    jwk: { kty, n, e, kid, alg: 'PS256', use: 'sig' },
    sign: (text) => signPss(key, text, 256),
  };
}

/** When some keys begin and others end to be in force: seconds since the epoch. */
export const KEYS_CHANGE = 1_700_000_100;

export const agentA = ecKey('agent a', 'agent-a-key');
export const agentALongKid = ecKey('agent a, long kid', `agent-a-${'k'.repeat(248)}`);
export const agentAOddKid = ecKey('agent a, odd kid', '../keys/1?v=2#"é" OR 1=1');
/** Keys that are not in force all the time. */
export const agentAExpired = ecKey('agent a, expired', 'agent-a-expired', P256, { exp: KEYS_CHANGE });
export const agentANext = ecKey('agent a, next', 'agent-a-next', P256, { nbf: KEYS_CHANGE });
export const agentARevoked = ecKey('agent a, revoked', 'agent-a-revoked', P256, { revoked_at: KEYS_CHANGE });
export const agentB = ecKey('agent b', 'agent-b-key');
/** Another issuer whose key bears the name that a key of agent a has. */
export const agentC = ecKey('agent c', agentA.kid);
export const organisation = ecKey('organisation', 'organisation-key');
export const p384 = ecKey('p-384', 'p384-key', P384);
export const ed25519 = ed25519Key('ed25519', 'ed25519-key');
export const rsa = rsaKey('rsa-key');
/** Trusted by nobody. */
export const stranger = ecKey('stranger', 'stranger-key');
export const strangerAsA = ecKey('stranger', agentA.kid);

export const ISS = 'spiffe://example.com/agent/a';
export const ISS_B = 'spiffe://example.com/agent/b';
export const ISS_C = 'spiffe://example.com/agent/c';
export const ISS_ORG = 'https://issuer.example.org/tasks';
export const ISS_URN = 'urn:uuid:f81d4fae-7dec-41d0-a765-00a0c91e6bf6';
export const ISS_P384 = 'urn:example:p384';
export const ISS_ED25519 = 'urn:example:ed25519';
export const ISS_RSA = 'urn:example:rsa';

function issuer(iss: string, subjects: TrustedIssuer['subjects'], ...keys: readonly TestKey[]): TrustedIssuer {
  return { iss, subjects, jwks: { keys: keys.map(({ jwk }) => jwk) } };
}

/** Every issuer that some vector trusts. */
const issuers: readonly TrustedIssuer[] = [
  issuer(ISS, 'exact', agentA, agentALongKid, agentAOddKid, agentAExpired, agentANext, agentARevoked),
  issuer(ISS_B, 'exact', agentB),
  issuer(ISS_C, 'exact', agentC),
  issuer(ISS_ORG, 'below', organisation),
  issuer(ISS_URN, 'exact', organisation),
  issuer(ISS_P384, 'exact', p384),
  issuer(ISS_ED25519, 'exact', ed25519),
  issuer(ISS_RSA, 'exact', rsa),
];

/** The trust that some issuers need; all of them without a name. */
export function trustIn(...names: readonly string[]): Trust {
  return { issuers: issuers.filter(({ iss }) => names.length === 0 || names.includes(iss)) };
}
