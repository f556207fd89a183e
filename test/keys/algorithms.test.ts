import {
  constants,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  sign,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../../src/keys/index.ts';

const input = Buffer.from('header.payload');
const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent });

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const makers: Readonly<Record<string, readonly [KeyPairKeyObjectResult, (key: KeyObject) => Buffer]>> = {
  ES256: [curve('P-256'), (key) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' })],
  ES384: [curve('P-384'), (key) => sign('sha384', input, { key, dsaEncoding: 'ieee-p1363' })],
  EdDSA: [generateKeyPairSync('ed25519'), (key) => sign(null, input, key)],
  Ed25519: [generateKeyPairSync('ed25519'), (key) => sign(null, input, key)],
  PS256: [rsa(2048), (key) => sign('sha256', input, { key, ...pss })],
};

const keysOfOthers: Readonly<Record<string, KeyPairKeyObjectResult>> = {
  'P-256': makers['ES256']![0],
  'P-384': makers['ES384']![0],
  'P-521': curve('P-521'),
  secp256k1: curve('secp256k1'),
  Ed25519: makers['EdDSA']![0],
  Ed448: generateKeyPairSync('ed448'),
  X25519: generateKeyPairSync('x25519'),
  'RSA of 2,048 bits': makers['PS256']![0],
  'RSA of 2,047 bits': rsa(2047),
  'RSA of 1,024 bits': rsa(1024),
  'RSA with exponent 3': rsa(2048, 3),
  'RSA-PSS': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
};

const own: Readonly<Record<string, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
  PS256: 'RSA of 2,048 bits',
};

test('T1, T2: the table has no row for none and none for HMAC', () => {
  expect([...ALGORITHMS.keys()]).toEqual(['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256']);
  for (const [name, algorithm] of ALGORITHMS) expect(algorithm.name).toBe(name);
});

describe.each(Object.keys(makers))('%s', (name) => {
  const algorithm = ALGORITHMS.get(name)!;
  const [{ privateKey, publicKey }, make] = makers[name]!;
  const signature = make(privateKey);

  test('T3: takes public keys of its own kind and nothing else', () => {
    const fitting = Object.keys(keysOfOthers).filter((kind) => algorithm.fits(keysOfOthers[kind]!.publicKey));
    expect(fitting).toEqual([own[name]]);
    expect(algorithm.fits(publicKey)).toBe(true);
  });

  test('T2, T3: takes no private key and no secret', () => {
    expect(algorithm.fits(privateKey)).toBe(false);
    expect(algorithm.fits(createSecretKey(Buffer.from('a secret of some length')))).toBe(false);
  });

  test('a signature holds for its own input and key', () => {
    expect(algorithm.verify(publicKey, input, signature)).toBe(true);
    expect(algorithm.verify(publicKey, Buffer.from('header.payloae'), signature)).toBe(false);
    expect(algorithm.verify(publicKey, Buffer.alloc(0), signature)).toBe(false);
    expect(algorithm.verify(strangerTo(name).publicKey, input, signature)).toBe(false);
  });

  test('T8: a signature of any other length does not hold, and nothing throws', () => {
    for (let length = 0; length <= 2 * signature.length; length++) {
      if (length === signature.length) continue;
      const odd = Buffer.alloc(length);
      signature.copy(odd);
      expect(algorithm.verify(publicKey, input, odd), `${length} bytes`).toBe(false);
    }
  });

  test('T8: extreme numbers do not hold, and nothing throws', () => {
    for (const fill of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
      expect(algorithm.verify(publicKey, input, Buffer.alloc(signature.length, fill)), String(fill)).toBe(false);
      const half = Buffer.from(signature);
      expect(algorithm.verify(publicKey, input, half.fill(fill, half.length / 2)), String(fill)).toBe(false);
    }
  });

  test('T25: no bit of a signature can be flipped', () => {
    const step = signature.length > 96 ? 7 : 1;
    for (let bit = 0; bit < 8 * signature.length; bit += step) {
      const flipped = Buffer.from(signature);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(algorithm.verify(publicKey, input, flipped), `bit ${bit}`).toBe(false);
    }
  });
});

function strangerTo(name: string): KeyPairKeyObjectResult {
  if (name === 'EdDSA' || name === 'Ed25519') return generateKeyPairSync('ed25519');
  return name === 'PS256' ? rsa(2048) : curve(name === 'ES256' ? 'P-256' : 'P-384');
}

test.each(['ES256', 'ES384'])('T8: %s: DER does not hold where raw is due', (name) => {
  const [{ privateKey, publicKey }] = makers[name]!;
  const der = sign(name === 'ES256' ? 'sha256' : 'sha384', input, privateKey);
  expect(ALGORITHMS.get(name)!.verify(publicKey, input, der)).toBe(false);
});

test.each([
  ['RSASSA-PKCS1-v1_5', { padding: constants.RSA_PKCS1_PADDING }],
  ['a salt of another length', { ...pss, saltLength: 20 }],
  ['no salt', { ...pss, saltLength: 0 }],
])('T3: PS256 rejects a good signature with %s', (_, options) => {
  const [{ privateKey, publicKey }] = makers['PS256']!;
  const signature = sign('sha256', input, { key: privateKey, ...options });
  expect(ALGORITHMS.get('PS256')!.verify(publicKey, input, signature)).toBe(false);
});

test('T3: each algorithm has its own hash: that of another does not hold', () => {
  const [p256] = makers['ES256']!;
  const [p384] = makers['ES384']!;
  const raw = (hash: string, key: KeyObject) => sign(hash, input, { key, dsaEncoding: 'ieee-p1363' });
  expect(ALGORITHMS.get('ES256')!.verify(p256.publicKey, input, raw('sha384', p256.privateKey))).toBe(false);
  expect(ALGORITHMS.get('ES384')!.verify(p384.publicKey, input, raw('sha256', p384.privateKey))).toBe(false);
});
