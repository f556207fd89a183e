// Verifies a JWT in which an issuer names a caller, once; later uses cost a hash. Bearer tokens and Workload Identity Tokens differ in
// what is required before the signature, and in what is read after it.

import { hash } from 'node:crypto';
import { type Caller, type Proof, proofBy } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import { CALLER_ALGORITHMS } from '../keys/index.ts';
import { type JsonObject, readCompact } from '../token/index.ts';
import { type CallerIssuer, type CallerTrust, type ForeignKey, keysUnavailable } from '../trust/index.ts';
import { demandTerm, type JwtTerm, nameCaller, readHeader, readTerm, untrusted } from './jwt-rules.ts';

export interface JwtCallersPorts {
  /** The trusted issuer for the claimed caller of a JWT; undefined: none. Both claims are attacker-controlled. */
  readonly issuerOf: (iss: unknown, sub: unknown) => CallerIssuer | undefined;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** How many verified JWTs are cached. */
  readonly maxRemembered?: number;
}

/** One kind of JWT. */
export interface JwtKind<Taken> {
  readonly method: Proof['method'];
  /** In lower case; undefined: it is optional. */
  readonly types: ReadonlySet<unknown>;
  /** Throws CALLER_UNTRUSTED for a payload that its issuer could have signed for another purpose. */
  readonly demand?: (payload: JsonObject, trust: CallerTrust) => void;
  /** What is read from a payload with a verified signature. */
  readonly take: (payload: JsonObject) => Taken;
}

/** The caller in a JWT. */
export interface VerifiedJwt<Taken> {
  readonly caller: Exclude<Caller, { readonly kind: 'anonymous' }>;
  readonly taken: Taken;
}

interface Remembered<Taken> extends VerifiedJwt<Taken> {
  readonly term: JwtTerm;
  /** The claims that select the trusted issuer, which is checked again for each call. */
  readonly iss: unknown;
  readonly sub: unknown;
  readonly issuer: CallerIssuer;
  readonly key: ForeignKey;
}

const MAX_REMEMBERED = 10_000;

/**
 * Verifies a JWT of limited length. Throws CALLER_UNTRUSTED, CALLER_ID_INVALID, and ISSUER_KEYS_UNAVAILABLE if the keys of the issuer are
 * being fetched, or cannot be.
 */
export function jwtVerifier<Taken>(
  { issuerOf, now, maxRemembered = MAX_REMEMBERED }: JwtCallersPorts,
  kind: JwtKind<Taken>,
): (token: string) => VerifiedJwt<Taken> {
  /** By the SHA-256 of the JWT, so that no secret is stored. The oldest entry is dropped. */
  const remembered = new Map<string, Remembered<Taken>>();

  function remember(digest: string, verified: Remembered<Taken>): void {
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value!);
    remembered.set(digest, verified);
  }

  /** Whether the result is still valid: its issuer and its key are still trusted. Its times are checked separately. */
  function stillHolds({ iss, sub, issuer, key }: Remembered<Taken>, at: number): boolean {
    return issuerOf(iss, sub) === issuer && issuer.keys.get(key.kid) === key && isInForce(key, at);
  }

  return (token) => {
    const digest = hash('sha256', token, 'base64url');
    const at = now();
    const known = remembered.get(digest);
    if (known !== undefined && stillHolds(known, at)) {
      demandTerm(known.term, at);
      return known;
    }
    remembered.delete(digest);
    const verified = verifyJwt(token, issuerOf, kind, at);
    remember(digest, verified);
    return verified;
  };
}

/** The signature is checked last, because it is most expensive. */
function verifyJwt<Taken>(
  token: string,
  issuerOf: JwtCallersPorts['issuerOf'],
  { method, types, demand, take }: JwtKind<Taken>,
  now: number,
): Remembered<Taken> {
  const read = readCompact(token);
  if (!read.ok) throw untrusted(`it is no JWT: ${read.fault}`);
  const { header, payload, signingInput, signature } = read.parts;
  const { iss, sub } = payload;
  const issuer = issuerOf(iss, sub);
  if (issuer === undefined) throw untrusted('its issuer is not trusted for callers');
  const { trust } = issuer;
  const { alg, kid } = readHeader(header, types, trust.algorithms);
  const term = readTerm(payload, trust, now);
  demand?.(payload, trust);
  const named = nameCaller(payload, trust);
  const key = findKey(issuer, kid, now);
  const algorithm = CALLER_ALGORITHMS.get(alg);
  if (algorithm === undefined || !key.algorithms.includes(alg) || !algorithm.fits(key.publicKey)) {
    throw untrusted('its key is for another alg');
  }
  if (!algorithm.verify(key.publicKey, signingInput, signature)) throw untrusted('its signature does not verify');
  // From here on the payload is authenticated by the issuer.
  const caller = { ...named, proof: proofBy(method, issuer.iss) };
  return { caller, taken: take(payload), term, iss, sub, issuer, key };
}

function findKey(issuer: CallerIssuer, kid: string, now: number): ForeignKey {
  const key = issuer.keys.get(kid);
  if (key === undefined) {
    const isUsable = issuer.keys.size > 0;
    const wanted = issuer.want();
    // The key may be among those that are being fetched.
    if (!isUsable || wanted.state === 'loading') throw new EctError(keysUnavailable(wanted));
    throw untrusted('its issuer has no key of this kid');
  }
  if (!isInForce(key, now)) throw untrusted('its key has expired, or was revoked');
  return key;
}

function isInForce({ notBefore = 0, notAfter, revokedAt }: ForeignKey, now: number): boolean {
  return now >= notBefore && (notAfter === undefined || now < notAfter) && (revokedAt === undefined || now < revokedAt);
}
