import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint, createLocalJWKSet, exportJWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { describePublicKey, writeKeySet } from '../../src/keys/index.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('the description of a key', () => {
  test('is the same from its private and from its public half, and holds the public one', async () => {
    const fromPrivate = await describePublicKey(privateKey);
    const fromPublic = await describePublicKey(publicKey);
    expect(fromPrivate.jwk).toEqual(fromPublic.jwk);
    expect(fromPrivate.publicKey.type).toBe('public');
    expect(fromPrivate.publicKey.equals(publicKey)).toBe(true);
  });

  test('has the members that a verifier needs, and reads back as the same key', async () => {
    const { jwk } = await describePublicKey(privateKey);
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(jwk).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
    expect(createPublicKey({ key: { ...jwk }, format: 'jwk' }).equals(publicKey)).toBe(true);
  });

  test('has the RFC 7638 thumbprint as its kid: SHA-256 over the required members in lexical order', async () => {
    const { jwk } = await describePublicKey(privateKey);
    const { crv, kty, x, y } = jwk;
    const canonical = `{"crv":"${crv}","kty":"${kty}","x":"${x}","y":"${y}"}`;
    expect(jwk.kid).toBe(createHash('sha256').update(canonical).digest('base64url'));
    expect(jwk.kid).toBe(await calculateJwkThumbprint({ ...jwk }));
    expect(jwk.kid).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test('writes coordinates with leading zeros at their full 32 bytes', async () => {
    // One coordinate in 256 begins with a zero octet; that 10,000 keys have none does not happen.
    for (let attempt = 0; attempt < 10_000; attempt++) {
      const { jwk } = await describePublicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
      const coordinates = [jwk.x, jwk.y].map((text) => Buffer.from(text, 'base64url'));
      expect(coordinates.map(({ length }) => length)).toEqual([32, 32]);
      if (coordinates.some(([first]) => first === 0)) return;
    }
    throw new Error('no coordinate began with a zero octet');
  });

  test.each([
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ])('is rejected to a key of %s', async (_, key) => {
    await expect(describePublicKey(key)).rejects.toThrow(TypeError);
  });
});

describe('the key set document', () => {
  test('is read by jose, which finds each key by its kid', async () => {
    const pairs = [privateKey, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey];
    const jwks = await Promise.all(pairs.map(async (key) => (await describePublicKey(key)).jwk));
    const find = createLocalJWKSet(JSON.parse(writeKeySet(jwks)));
    for (const jwk of jwks) {
      const found = await find({ alg: 'ES256', kid: jwk.kid });
      expect(await exportJWK(found)).toMatchObject({ x: jwk.x, y: jwk.y });
    }
  });

  test('S1: has no private member, though it was made from a private key', async () => {
    const secret = privateKey.export({ format: 'jwk' }).d!;
    const text = writeKeySet([(await describePublicKey(privateKey)).jwk]);
    expect(text).not.toContain(secret);
    expect(Object.keys(JSON.parse(text).keys[0])).not.toContain('d');
  });

  test('without keys is an empty set', () => {
    expect(writeKeySet([])).toBe('{"keys":[]}');
  });
});
