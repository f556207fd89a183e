// Signatures that come out the same every time, so that the vectors can be made anew and compared. ECDSA takes its nonce
// from the key and the message (RFC 6979); RSASSA-PSS takes its salt from the message.

import { constants, createECDH, createHash, createHmac, type KeyObject, privateEncrypt } from 'node:crypto';

/** A prime curve, as far as signing needs it: the point multiplication is OpenSSL's. */
export interface Curve {
  readonly openssl: string;
  readonly jwk: string;
  readonly hash: string;
  readonly bytes: number;
  readonly order: bigint;
}

export const P256: Curve = {
  openssl: 'prime256v1',
  jwk: 'P-256',
  hash: 'sha256',
  bytes: 32,
  order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
};

export const P384: Curve = {
  openssl: 'secp384r1',
  jwk: 'P-384',
  hash: 'sha384',
  bytes: 48,
  order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
};

/** A signature as two numbers. */
export interface Pair {
  readonly r: bigint;
  readonly s: bigint;
}

/** Signs with the low s. `hash` is the curve's own unless a fault is wanted. */
export function signEcdsa(curve: Curve, secret: Buffer, message: Buffer, hash = curve.hash): Pair {
  const digest = createHash(hash).update(message).digest().subarray(0, curve.bytes);
  const z = toNumber(digest) % curve.order;
  const d = toNumber(secret);
  const k = nonceFor(curve, secret, z);
  const { x } = pointOf(curve, toBytes(k, curve.bytes));
  const r = toNumber(x) % curve.order;
  const s = (inverse(k, curve.order) * (z + r * d)) % curve.order;
  return { r, s: s > curve.order / 2n ? curve.order - s : s };
}

/** r || s, each as long as the curve says; a number that is too large is cut, which only faults do. */
export function writePair({ r, s }: Pair, curve: Curve): Buffer {
  return Buffer.concat([toBytes(r, curve.bytes), toBytes(s, curve.bytes)]);
}

/** The public point of a secret. */
export function pointOf(curve: Curve, secret: Buffer): { readonly x: Buffer; readonly y: Buffer } {
  const ecdh = createECDH(curve.openssl);
  ecdh.setPrivateKey(secret);
  const point = ecdh.getPublicKey();
  return { x: point.subarray(1, 1 + curve.bytes), y: point.subarray(1 + curve.bytes) };
}

function nonceFor(curve: Curve, secret: Buffer, z: bigint): bigint {
  const seed = Buffer.concat([secret, toBytes(z, curve.bytes)]);
  let value = Buffer.alloc(curve.bytes, 1);
  let key = Buffer.alloc(curve.bytes, 0);
  const hmac = (...parts: Buffer[]) => createHmac(curve.hash, key).update(Buffer.concat(parts)).digest();
  for (const round of [0, 1]) {
    key = hmac(value, Buffer.from([round]), seed);
    value = hmac(value);
  }
  // The first candidate is out of range once in 2^32 times or less; every vector that is made is verified afterwards.
  return toNumber(hmac(value));
}

/** RSASSA-PSS with SHA-256 and a salt of 32 bytes (PS256). */
export function signPss(key: KeyObject, message: Buffer, modulusBytes: number): Buffer {
  const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  const salt = sha256(Buffer.from('salt'), message);
  const digest = sha256(Buffer.alloc(8), sha256(message), salt);
  const block = Buffer.alloc(modulusBytes - digest.length - 1);
  block[block.length - salt.length - 1] = 1;
  salt.copy(block, block.length - salt.length);
  const mask = Buffer.concat(
    Array.from({ length: Math.ceil(block.length / 32) }, (_, count) => sha256(digest, Buffer.from([0, 0, 0, count]))),
  );
  for (let at = 0; at < block.length; at++) block[at]! ^= mask[at]!;
  block[0]! &= 0x7f;
  const encoded = Buffer.concat([block, digest, Buffer.from([0xbc])]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded);
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value, modulus, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function toBytes(value: bigint, length: number): Buffer {
  return Buffer.from(
    value
      .toString(16)
      .padStart(2 * length, '0')
      .slice(-2 * length),
    'hex',
  );
}
