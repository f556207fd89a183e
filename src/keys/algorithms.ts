// The table of signature algorithms: the key that each needs, and how it verifies. `none` and HMAC can never be rows. This service signs
// with ES256; the others verify tokens of foreign issuers.

import { type AsymmetricKeyDetails, constants, type KeyObject, verify } from 'node:crypto';
import { RAW_SIGNATURE_BYTES, rawToDer } from './ecdsa.ts';

/** A row of the table. */
export interface Algorithm {
  /** JWS name (RFC 7518, RFC 8037, RFC 9864). */
  readonly name: string;
  /** Whether a public key fits. The curve is checked, because OpenSSL verifies with any curve. */
  fits(key: KeyObject): boolean;
  /** Verifies a JWS signature over the signing input. False for every malformed signature; never throws for one. */
  verify(key: KeyObject, signingInput: Uint8Array, signature: Uint8Array): boolean;
}

const ES256: Algorithm = {
  name: 'ES256',
  fits: rememberFits((key) => curveOf(key) === 'prime256v1'),
  verify: (key, signingInput, signature) =>
    signature.length === RAW_SIGNATURE_BYTES && verify('sha256', signingInput, key, rawToDer(signature)),
};

const P384_SIGNATURE_BYTES = 96;

const ES384: Algorithm = {
  name: 'ES384',
  fits: rememberFits((key) => curveOf(key) === 'secp384r1'),
  verify: (key, signingInput, signature) =>
    signature.length === P384_SIGNATURE_BYTES &&
    verify('sha384', signingInput, { key, dsaEncoding: 'ieee-p1363' }, signature),
};

/** The full name of RFC 9864. */
const Ed25519: Algorithm = {
  name: 'Ed25519',
  fits: rememberFits((key) => key.asymmetricKeyType === 'ed25519'),
  verify: (key, signingInput, signature) => verify(null, signingInput, key, signature),
};

/** The name of RFC 8037. Ed25519 only: Ed448 has the same name in a header. */
const EdDSA: Algorithm = { ...Ed25519, name: 'EdDSA' };

const PS256: Algorithm = {
  name: 'PS256',
  fits: rememberFits(isStrongRsa),
  verify: (key, signingInput, signature) =>
    verify(
      'sha256',
      signingInput,
      { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
      signature,
    ),
};

/** Only for the JWTs of callers, most issuers of which sign with it. */
const RS256: Algorithm = {
  name: 'RS256',
  fits: rememberFits(isStrongRsa),
  verify: (key, signingInput, signature) => verify('sha256', signingInput, key, signature),
};

/** Every algorithm that can be allowed for an Execution Context Token. */
export const ALGORITHMS: ReadonlyMap<string, Algorithm> = tableOf(ES256, ES384, EdDSA, Ed25519, PS256);

/** Every algorithm that can be allowed for the JWT of a caller. */
export const CALLER_ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([...ALGORITHMS, ...tableOf(RS256)]);

function tableOf(...algorithms: readonly Algorithm[]): ReadonlyMap<string, Algorithm> {
  return new Map(algorithms.map((algorithm) => [algorithm.name, algorithm]));
}

/** Cached, because each query of a key calls OpenSSL. */
function rememberFits(fits: (key: KeyObject) => boolean): (key: KeyObject) => boolean {
  const known = new WeakSet<KeyObject>();
  return (key) => {
    if (known.has(key)) return true;
    if (key.type !== 'public' || !fits(key)) return false;
    known.add(key);
    return true;
  };
}

function curveOf(key: KeyObject): string | undefined {
  return key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : undefined;
}

const MIN_RSA_BITS = 2048;
/** Larger keys make every verification expensive, and no issuer needs them. */
const MAX_RSA_BITS = 8192;
/** Smaller exponents have a history of forgeries; this is the usual one. */
const MIN_RSA_EXPONENT = 65_537n;
/** Verification costs as much as the exponent has bits: with 3,071 of them 5 ms. A caller chooses its own key for its proofs. */
const MAX_RSA_EXPONENT = 2n ** 32n;

function isStrongRsa(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return false;
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails as Required<AsymmetricKeyDetails>;
  const hasLength = modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS;
  return hasLength && publicExponent >= MIN_RSA_EXPONENT && publicExponent < MAX_RSA_EXPONENT;
}
