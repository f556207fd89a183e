import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readTrustedJwk } from '../../src/keys/index.ts';

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...p256.publicKey.export({ format: 'jwk' }), kid: 'one' } as Record<string, unknown>;

function faultIn(changes: object, base: object = jwk): string {
  const read = readTrustedJwk({ ...base, ...changes });
  return typeof read === 'string' ? read : 'none';
}

describe('a public key is taken', () => {
  test.each([
    ['ES256', p256],
    ['ES384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
    ['Ed25519', generateKeyPairSync('ed25519')],
    ['PS256', rsa],
  ])('for the algorithm of its kind, %s', (alg, { publicKey }) => {
    const read = readTrustedJwk({ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg, use: 'sig' });
    expect(read).toMatchObject({ kid: 'one', algorithms: expect.arrayContaining([alg]) });
    if (typeof read !== 'string') expect(read.publicKey.equals(publicKey)).toBe(true);
  });

  test('with its times, and without those that it does not have', () => {
    const read = readTrustedJwk({ ...jwk, nbf: 0, exp: 2, revoked_at: 3 });
    expect(read).toMatchObject({ notBefore: 0, notAfter: 2, revokedAt: 3 });
    expect(Object.keys(readTrustedJwk(jwk))).toEqual(['kid', 'publicKey', 'algorithms']);
  });

  test('whatever else is said of it', () => {
    expect(faultIn({ x5t: 'x', 'com.example.note': 1, key_ops: ['verify'] })).toBe('none');
  });
});

describe('K4: a key is rejected', () => {
  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('with the private member %s', (member) => {
    expect(faultIn({ [member]: 'AQAB' })).toBe(`it has the private member ${member}: give the public key only`);
  });

  test('if it is a private key of any kind', () => {
    for (const { privateKey } of [p256, rsa, generateKeyPairSync('ed25519')]) {
      expect(faultIn({}, { ...privateKey.export({ format: 'jwk' }), kid: 'one' })).toMatch(/private member/);
    }
  });

  test.each([undefined, '', 7, 'x'.repeat(257)])('with kid %j', (kid) => {
    expect(faultIn({ kid })).toBe('kid must be a text of 1 to 256 characters');
  });

  test.each(['enc', 'SIG', '', 7, null])('for use %j', (use) => {
    expect(faultIn({ use })).toBe('use must be sig');
  });

  test.each([[[]], [['sign']], [['verify', 'sign']], [['verify', 'verify']], ['verify'], [null]])(
    'for key_ops %j',
    (operations) => {
      expect(faultIn({ key_ops: operations })).toBe('key_ops must be verify and nothing else');
    },
  );

  test.each([
    { kty: 'oct' },
    { kty: 'EC', crv: 'P-521' },
    { kty: 'EC', crv: 'secp256k1' },
    { kty: 'EC', crv: undefined },
    { kty: 'OKP', crv: 'X25519' },
    { kty: 'OKP', crv: 'Ed448' },
    { kty: 'OKP', crv: 'P-256' },
    { kty: 'rsa' },
    { kty: undefined },
    { kty: '__proto__' },
    { kty: ['EC'], crv: ['P-521'] },
  ])('of kind %j', (kind) => {
    expect(faultIn(kind)).toBe('it must be of kty EC (P-256, P-384), OKP (Ed25519) or RSA');
  });

  test.each(['ES384', 'HS256', 'none', 'es256', 7, null])('for alg %j', (alg) => {
    expect(faultIn({ alg })).toBe('alg must be ES256');
  });

  test('whose point is not on the curve, missing or no base64url', () => {
    const { x } = jwk as { readonly x: string };
    for (const y of [x, 'AA', '', undefined, 7, '!']) {
      expect(faultIn({ y })).toBe('x and y are no public key of its kind');
    }
  });

  test('of RSA with less than 2,048 bits, or a small exponent', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    const small = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey;
    for (const base of [weak, small.export({ format: 'jwk' })]) {
      expect(faultIn({ kid: 'one' }, base)).toBe('it is too weak, or too large, for PS256');
    }
  });

  test('of RSA with an exponent of more than 32 bits, which makes each verification expensive', () => {
    const base = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
    const e = (hex: string) => ({ kid: 'one', e: Buffer.from(hex, 'hex').toString('base64url') });
    expect(faultIn(e('ffffffff'), base)).toBe('none');
    for (const hex of ['0100000001', `0${'f'.repeat(511)}`]) {
      expect(faultIn(e(hex), base)).toBe('it is too weak, or too large, for PS256');
    }
  });

  test.each(['nbf', 'exp', 'revoked_at'])('whose %s is no second', (member) => {
    for (const time of [-1, 1.5, '1', null, 2 ** 53]) {
      expect(faultIn({ [member]: time })).toBe(`${member} must be an integer of seconds`);
    }
  });
});
