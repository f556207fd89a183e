// Tokens that are built by hand with a key of the test, so that each has only the named fault.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { KeyRing, type TrustedKey } from '../../src/keys/index.ts';
import type { TokenPolicy } from '../../src/token/index.ts';

export const NOW = 1_772_000_000;
export const JTI = '550e8400-e29b-41d4-a716-446655440000';
export const OTHER_JTI = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
export const WID = 'a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c4d';
export const ISS = 'spiffe://example.com/agent/a';
export const AUD = 'spiffe://example.com/agent/b';
export const KID = 'agent-a-key';

export const policy: TokenPolicy = {
  maxTokenBytes: 16_384,
  drafts: ['00', '01'],
  minimumLevel: 'L2',
  minimumLevels: new Map(),
  ids: 'uuid',
  algorithms: ['ES256'],
  maxLifetimeSeconds: 86_400,
  maxAgeSeconds: 900,
  maxFutureSeconds: 30,
};

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const signingKey = privateKey;

export function trust(key: KeyObject, overrides: Partial<TrustedKey> = {}): TrustedKey {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return { kid: KID, publicKey, speaksFor: (iss) => iss === ISS, ...overrides };
}

export const keys = new KeyRing([trust(signingKey)]);

export const header = { alg: 'ES256', typ: 'exec+jwt', kid: KID };

export const payload = {
  iss: ISS,
  aud: [AUD],
  iat: NOW,
  exp: NOW + 600,
  jti: JTI,
  exec_act: 'review_spec',
  pred: [] as string[],
};

/** Returns base64url of a text, of bytes, or of a value as JSON. */
export function encode(part: unknown): string {
  if (part instanceof Uint8Array) return Buffer.from(part).toString('base64url');
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** Signs any two parts. Strings and bytes are used unchanged. */
export function signParts(first: unknown, second: unknown, key: KeyObject = signingKey): string {
  const input = `${encode(first)}.${encode(second)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** Returns a token in which some claims and header members differ from the usual ones; `undefined` omits one. */
export function makeToken(claims: object = {}, members: object = {}, key?: KeyObject): string {
  return signParts({ ...header, ...members }, { ...payload, ...claims }, key);
}
