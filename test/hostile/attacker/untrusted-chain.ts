// A chain of certificates that nobody trusts, with large RSA keys: each signature in it costs the server milliseconds, and the attacker
// nothing. The signatures are random bytes, or valid ones of a key that has many small factors.

import { createHash, generatePrimeSync, randomBytes } from 'node:crypto';
import { element } from '../../support/certificates.ts';

const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, text: 0x0c, time: 0x17, sequence: 0x30, set: 0x31 };
const SHA256_RSA = sequence(hex('06092a864886f70d01010b0500'));
const RSA = sequence(hex('06092a864886f70d0101010500'));
const VERSION_3 = hex('a003020102');
const VALIDITY = sequence(...['200101000000Z', '490101000000Z'].map((time) => element(TAG.time, Buffer.from(time))));
/** basicConstraints: a CA. */
const IS_CA = element(0xa3, sequence(sequence(hex('0603551d130101ff'), element(TAG.octets, sequence(hex('0101ff'))))));
/** The largest prime of 64 bits: OpenSSL allows no larger exponent for such keys. */
const EXPONENT = 2n ** 64n - 59n;
const FACTOR_BITS = 512;

/** A public key, and what signs with it. */
interface Key {
  readonly modulus: Buffer;
  sign(content: Buffer): Buffer;
}

/**
 * DER: `count` certificates with keys of so many bits, each below the next one. `isValid`: so are their signatures; otherwise OpenSSL
 * verifies all of them too, and the handshake fails afterwards.
 */
export function untrustedChain(count: number, bits: number, isValid: boolean): readonly Buffer[] {
  const key = isValid ? factoredKey(bits) : undefined;
  return Array.from({ length: count }, (_, at) => certificate(at, key ?? randomKey(bits / 8)));
}

function certificate(at: number, { modulus, sign }: Key): Buffer {
  const key = sequence(RSA, bitString(sequence(integer(modulus), integer(bytesOf(EXPONENT, 8)))));
  const serial = integer(Buffer.from([at + 1]));
  const fields = [VERSION_3, serial, SHA256_RSA, name(at + 1), VALIDITY, name(at), key, ...(at === 0 ? [] : [IS_CA])];
  const content = sequence(...fields);
  return sequence(content, SHA256_RSA, bitString(sign(content)));
}

function randomKey(keyBytes: number): Key {
  const modulus = randomBytes(keyBytes);
  modulus[0]! |= 0x80;
  modulus[keyBytes - 1]! |= 1;
  const signature = randomBytes(keyBytes);
  // Below the modulus, or it would be rejected without a computation.
  signature[0] = 1;
  return { modulus, sign: () => signature };
}

/** A key that takes a second to make instead of minutes: nobody would notice that it is worthless. */
function factoredKey(bits: number): Key {
  // The two highest bits of each factor are set, so the product has a few bits less than all factors together.
  const factors = Array.from({ length: bits / FACTOR_BITS }, () => generatePrimeSync(FACTOR_BITS, { bigint: true }));
  const modulus = factors.reduce((product, factor) => product * factor, 1n);
  const keyBytes = Math.ceil(modulus.toString(16).length / 2);
  // Chinese remainder theorem.
  const parts = factors.map((factor) => {
    const rest = modulus / factor;
    return {
      factor,
      exponent: inverse(EXPONENT % (factor - 1n), factor - 1n),
      weight: rest * inverse(rest % factor, factor),
    };
  });
  function sign(content: Buffer): Buffer {
    const digest = sequence(sequence(hex('06096086480165030402010500')), element(TAG.octets, sha256(content)));
    const padding = Buffer.alloc(keyBytes - digest.length - 3, 0xff);
    const padded = BigInt(`0x${Buffer.concat([hex('0001'), padding, hex('00'), digest]).toString('hex')}`);
    const sum = parts.reduce((total, { factor, exponent, weight }) => {
      return total + power(padded % factor, exponent, factor) * weight;
    }, 0n);
    return bytesOf(sum % modulus, keyBytes);
  }
  return { modulus: bytesOf(modulus, keyBytes), sign };
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let left = exponent, square = base; left > 0n; left >>= 1n, square = (square * square) % modulus) {
    if ((left & 1n) === 1n) result = (result * square) % modulus;
  }
  return result;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [before, rest] = [modulus, value];
  let [coefficientBefore, coefficient] = [0n, 1n];
  while (rest !== 0n) {
    const quotient = before / rest;
    [before, rest] = [rest, before - quotient * rest];
    [coefficientBefore, coefficient] = [coefficient, coefficientBefore - quotient * coefficient];
  }
  return ((coefficientBefore % modulus) + modulus) % modulus;
}

function bytesOf(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function name(at: number): Buffer {
  return sequence(element(TAG.set, sequence(hex('0603550403'), element(TAG.text, Buffer.from(`c${at}`)))));
}

function integer(bytes: Buffer): Buffer {
  return element(TAG.integer, bytes[0]! < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]));
}

function bitString(bytes: Buffer): Buffer {
  return element(TAG.bits, Buffer.concat([Buffer.from([0]), bytes]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(TAG.sequence, Buffer.concat(parts));
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
