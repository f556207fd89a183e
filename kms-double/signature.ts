// What Sign answers: ECDSA over P-256 in DER, with whatever `s` comes out. AWS KMS does not lower it either.

import { createHash, sign } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { demandUsable, type KmsKey } from './keys.ts';
import { KmsError } from './kms-error.ts';

const MAX_RAW_BYTES = 4096;
const DIGEST_BYTES = 32;

/** Signs a message, or a digest as it stands. Rejects what AWS KMS rejects. */
export function signWith(key: KmsKey, message: Buffer, type: string, algorithm: string): Buffer {
  demandUsable(key);
  if (key.usage !== 'SIGN_VERIFY') throw new KmsError('InvalidKeyUsageException');
  if (key.spec !== 'ECC_NIST_P256' || algorithm !== 'ECDSA_SHA_256') throw new KmsError('InvalidKeyUsageException');
  if (key.material === undefined) throw new KmsError('UnsupportedOperationException');
  if (type === 'RAW') {
    if (message.length === 0 || message.length > MAX_RAW_BYTES) throw new KmsError('ValidationException');
    return sign('sha256', message, key.material.privateKey);
  }
  if (type !== 'DIGEST' || message.length !== DIGEST_BYTES) throw new KmsError('ValidationException');
  return signDigest(key, message);
}

/** The same numbers with `s` above the half of the order: valid, and what a lenient signer may answer. */
export function signHigh(key: KmsKey, digest: Buffer): Buffer {
  const signature = p256.Signature.fromBytes(signDigest(key, digest), 'der');
  const { r, s } = signature;
  const high = signature.hasHighS() ? s : p256.Point.Fn.ORDER - s;
  return Buffer.from(new p256.Signature(r, high).toBytes('der'));
}

/** A digest that is not the one that was asked for, signed: a good signature of something else. */
export function signOther(key: KmsKey, digest: Buffer): Buffer {
  return signDigest(key, createHash('sha256').update(digest).digest());
}

// node:crypto always hashes what it signs, so a digest needs a library that does not.
function signDigest(key: KmsKey, digest: Buffer): Buffer {
  const scalar = Buffer.from(key.material!.privateKey.export({ format: 'jwk' }).d!, 'base64url');
  const options = { prehash: false, lowS: false, format: 'der', extraEntropy: true } as const;
  return Buffer.from(p256.sign(digest, scalar, options));
}
