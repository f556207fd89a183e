// Callers that prove themselves by a JWT in `authorization: Bearer`: a JWT-SVID, a token of a Kubernetes service account, or
// one of any OpenID Connect issuer that the operator named. A JWT is read and verified once; after that it costs a hash.

import { hash } from 'node:crypto';
import type { Caller } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import { CALLER_ALGORITHMS } from '../keys/index.ts';
import { readCompact } from '../token/index.ts';
import { type CallerIssuer, type ForeignKey, keysUnavailable } from '../trust/index.ts';
import type { Authenticator } from './authenticate.ts';
import { demandAudience, demandTerm, type JwtTerm, nameCaller, readHeader, readTerm, untrusted } from './jwt-rules.ts';

export interface JwtCallersPorts {
  /** Who vouches for the caller that a JWT claims; undefined: nobody. Both claims are attacker-controlled. */
  readonly issuerOf: (iss: unknown, sub: unknown) => CallerIssuer | undefined;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Verified JWTs that are remembered. */
  readonly maxRemembered?: number;
}

const MAX_TOKEN_CHARACTERS = 8 * 1024;
const MAX_REMEMBERED = 10_000;
/** RFC 6750, 2.1. */
const BEARER = /^bearer +([A-Za-z0-9._-]+)$/i;

interface Verified {
  readonly caller: Caller;
  readonly term: JwtTerm;
  /** Of its payload: who has to vouch for it, and still does. */
  readonly iss: unknown;
  readonly sub: unknown;
  readonly issuer: CallerIssuer;
  readonly key: ForeignKey;
}

/**
 * Answers the caller of a bearer token; undefined where a request has no `authorization`. Throws CALLER_UNTRUSTED, CALLER_ID_INVALID,
 * and ISSUER_KEYS_UNAVAILABLE where the keys of the issuer are being fetched, or cannot be.
 */
export function jwtCallers({ issuerOf, now, maxRemembered = MAX_REMEMBERED }: JwtCallersPorts): Authenticator {
  /** By the SHA-256 of the JWT, so that no secret is kept. The oldest gives way. */
  const remembered = new Map<string, Verified>();

  function remember(digest: string, verified: Verified): void {
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value!);
    remembered.set(digest, verified);
  }

  /** Whether what was verified would be again: its issuer and its key still count. Its times are another matter. */
  function stillHolds({ iss, sub, issuer, key }: Verified, at: number): boolean {
    return issuerOf(iss, sub) === issuer && issuer.keys.get(key.kid) === key && isInForce(key, at);
  }

  return (presented) => {
    const values = presented.header('authorization');
    if (values.length === 0) return undefined;
    const token = tokenIn(values);
    const digest = hash('sha256', token, 'base64url');
    const at = now();
    const known = remembered.get(digest);
    if (known !== undefined && stillHolds(known, at)) {
      demandTerm(known.term, at);
      return known.caller;
    }
    remembered.delete(digest);
    const verified = verifyJwt(token, issuerOf, at);
    remember(digest, verified);
    return verified.caller;
  };
}

function tokenIn(values: readonly string[]): string {
  const [value = '', ...more] = values;
  if (more.length > 0) throw untrusted('there is more than one authorization header');
  if (value.length > MAX_TOKEN_CHARACTERS) throw untrusted(`it is longer than ${MAX_TOKEN_CHARACTERS} characters`);
  const token = BEARER.exec(value)?.[1];
  if (token === undefined) throw untrusted('authorization is not Bearer and a JWT');
  return token;
}

/** What costs most, the signature, comes last. */
function verifyJwt(token: string, issuerOf: JwtCallersPorts['issuerOf'], now: number): Verified {
  const read = readCompact(token);
  if (!read.ok) throw untrusted(`it is no JWT: ${read.fault}`);
  const { header, payload, signingInput, signature } = read.parts;
  const { iss, sub } = payload;
  const issuer = issuerOf(iss, sub);
  if (issuer === undefined) throw untrusted('no issuer that callers are believed from vouches for it');
  const { trust } = issuer;
  const { alg, kid } = readHeader(header, trust.algorithms);
  const term = readTerm(payload, trust, now);
  demandAudience(payload, trust);
  const named = nameCaller(payload, trust);
  const key = findKey(issuer, kid, now);
  const algorithm = CALLER_ALGORITHMS.get(alg);
  if (algorithm === undefined || !key.algorithms.includes(alg) || !algorithm.fits(key.publicKey)) {
    throw untrusted('its key is for another alg');
  }
  if (!algorithm.verify(key.publicKey, signingInput, signature)) throw untrusted('its signature does not verify');
  // From here on the payload is what the issuer signed.
  const caller: Caller = { ...named, proof: { method: 'jwt', by: issuer.iss } };
  return { caller, term, iss, sub, issuer, key };
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
