import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { contradictionOf, describePublicKey, readPublicJwk } from '../../src/keys/index.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { jwk } = await describePublicKey(publicKey);

describe('K4: a JWK says what it is for', () => {
  test('and where it says nothing it is for everything', () => {
    expect(contradictionOf({}, { algorithms: ['ES256'], operations: ['sign'] })).toBeUndefined();
  });

  test.each([
    [{ use: 'enc' }, 'use must be sig'],
    [{ use: null }, 'use must be sig'],
    [{ key_ops: [] }, 'key_ops must be verify and nothing else'],
    [{ key_ops: ['encrypt', 'verify'] }, 'key_ops must be verify and nothing else'],
    [{ key_ops: ['verify', 'verify'] }, 'key_ops must be verify and nothing else'],
    [{ alg: 'ES384' }, 'alg must be ES256'],
    [{ alg: null }, 'alg must be ES256'],
  ])('%j contradicts the verification of ES256: %s', (members, sentence) => {
    expect(contradictionOf(members, { algorithms: ['ES256'], operations: ['verify'] })).toBe(sentence);
    expect(readPublicJwk({ ...jwk, ...members })).toBeUndefined();
  });

  test('one of ours is read with and without the members that say so', () => {
    const { use: _use, alg: _alg, ...bare } = jwk;
    for (const each of [{ ...jwk }, { ...bare }, { ...jwk, key_ops: ['verify'] }]) {
      expect(readPublicJwk(each)?.jwk).toEqual(jwk);
    }
  });
});
