// Verifies a JWT in which an issuer says who a caller is, once; after that it costs a hash. Bearer tokens and Workload Identity Tokens differ
// in what is demanded of them before the signature, and in what is taken from them after it.

import { hash } from 'node:crypto';
import { type Caller, type Proof, proofBy } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import { CALLER_ALGORITHMS } from '../keys/index.ts';
import { type JsonObject, readCompact } from '../token/index.ts';
import { type CallerIssuer, type CallerTrust, type ForeignKey, keysUnavailable } from '../trust/index.ts';
import { demandTerm, type JwtTerm, nameCaller, readHeader, readTerm, untrusted } from './jwt-rules.ts';

export interface JwtCallersPorts {
  /** The issuer that is trusted for the caller that a JWT claims; undefined: none. Both claims are attacker-controlled. */
  readonly issuerOf: (iss: unknown, sub: unknown) => CallerIssuer | undefined;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Verified JWTs that are remembered. */
  readonly maxRemembered?: number;
}

/** What one kind of JWT is. */
export interface JwtKind<Taken> {
  readonly method: Proof['method'];
  /** In lower case; undefined: it may be left out. */
  readonly types: ReadonlySet<unknown>;
  /** Throws CALLER_UNTRUSTED for a payload that its issuer could have signed for something else. */
  readonly demand?: (payload: JsonObject, trust: CallerTrust) => void;
  /** What is taken from a payload whose signature has been verified. */
  readonly take: (payload: JsonObject) => Taken;
}

/** What a JWT says of its caller. */
export interface VerifiedJwt<Taken> {
  readonly caller: Exclude<Caller, { readonly kind: 'anonymous' }>;
  readonly taken: Taken;
}

interface Remembered<Taken> extends VerifiedJwt<Taken> {
  readonly term: JwtTerm;
  /** The claims of its payload that select the trusted issuer, which is checked again for each call. */
  readonly iss: unknown;
  readonly sub: unknown;
  readonly issuer: CallerIssuer;
  readonly key: ForeignKey;
}

const MAX_REMEMBERED = 10_000;

/**
 * Returns what a JWT, whose length is bounded, says. Throws CALLER_UNTRUSTED, CALLER_ID_INVALID, and ISSUER_KEYS_UNAVAILABLE where the keys of
 * the issuer are being fetched, or cannot be.
 */
export function jwtVerifier<Taken>(
  { issuerOf, now, maxRemembered = MAX_REMEMBERED }: JwtCallersPorts,
  kind: JwtKind<Taken>,
): (token: string) => VerifiedJwt<Taken> {
  /** By the SHA-256 of the JWT, so that no secret is kept. The oldest gives way. */
  const remembered = new Map<string, Remembered<Taken>>();

  function remember(digest: string, verified: Remembered<Taken>): void {
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value!);
    remembered.set(digest, verified);
  }

  /** Whether what was verified would be again: its issuer and its key still count. Its times are another matter. */
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

/** What costs most, the signature, comes last. */
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
  // From here on the payload is what the issuer signed.
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
