// The rules for the JWT of a caller (RFC 7519, RFC 8725, JWT-SVID), checked before its signature. All of it is attacker-controlled, so a
// rejection quotes none of it.

import { EctError, reject } from '../errors.ts';
import { hasMoreCharacters, MAX_KID_CHARACTERS } from '../keys/index.ts';
import { canBeAbove, isWorkloadId, type JsonObject, trustDomainOf } from '../token/index.ts';
import type { CallerTrust } from '../trust/index.ts';

/** The validity period of a JWT. Seconds since the epoch. */
export interface JwtTerm {
  readonly notBefore: number;
  readonly expires: number;
}

/** The identity of a caller in its JWT. */
export interface NamedCaller {
  readonly kind: 'spiffe' | 'oidc';
  readonly id: string;
}

/** Header members that bring a key, a URL, another encoding or another token. */
const FORBIDDEN_MEMBERS = ['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u', 'trust_chain', 'zip', 'cty', 'enc', 'epk'];
/** How far clocks of issuers may be ahead of ours. */
const SKEW_SECONDS = 30;
const MAX_ID_BYTES = 2048;

/** The algorithm and the key id in a header. Throws CALLER_UNTRUSTED. */
export function readHeader(
  header: JsonObject,
  types: ReadonlySet<unknown>,
  allowed: readonly string[],
): { readonly alg: string; readonly kid: string } {
  demandPlain(header, types);
  const { alg, kid } = header;
  if (typeof alg !== 'string' || !allowed.includes(alg)) throw untrusted(`its alg must be ${allowed.join(' or ')}`);
  if (typeof kid !== 'string' || kid === '' || hasMoreCharacters(kid, MAX_KID_CHARACTERS))
    throw untrusted('its header has no kid');
  return { alg, kid };
}

/** Checks that a header has the right type and brings no key. Throws CALLER_UNTRUSTED. */
export function demandPlain(header: JsonObject, types: ReadonlySet<unknown>, what?: string): void {
  const member = FORBIDDEN_MEMBERS.find((name) => Object.hasOwn(header, name));
  if (member !== undefined) throw untrusted(`its header must not have ${member}`, what);
  const { typ } = header;
  if (types.has(typeof typ === 'string' ? typ.toLowerCase() : typ)) return;
  throw untrusted('its typ is not the one that this kind of credential must have', what);
}

/** The validity period of a JWT that is valid now. Throws CALLER_UNTRUSTED. */
export function readTerm({ exp, nbf, iat }: JsonObject, { maxLifetimeSeconds }: CallerTrust, now: number): JwtTerm {
  if (!isTime(exp)) throw untrusted('it has no exp');
  if (nbf !== undefined && !isTime(nbf)) throw untrusted('its nbf is no time');
  if (iat !== undefined && !isTime(iat)) throw untrusted('its iat is no time');
  if (exp - (iat ?? now) > maxLifetimeSeconds) throw untrusted(`it lives for more than ${maxLifetimeSeconds} s`);
  const term = { notBefore: Math.max(nbf ?? 0, iat ?? 0) - SKEW_SECONDS, expires: exp };
  demandTerm(term, now);
  return term;
}

/** Throws CALLER_UNTRUSTED for a JWT that is not valid at this second. */
export function demandTerm({ notBefore, expires }: JwtTerm, now: number): void {
  if (now >= expires) throw untrusted('it has expired');
  if (now < notBefore) throw untrusted('it is not valid yet');
}

/** Throws CALLER_UNTRUSTED for a JWT with another audience. */
export function demandAudience({ aud }: JsonObject, { audience, acceptsOtherAudiences }: CallerTrust): void {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!named.includes(audience)) throw untrusted('its aud does not name this service');
  if (named.length > 1 && !acceptsOtherAudiences) throw untrusted('its aud names more than this service');
}

/** The name of the caller, as its issuer may give it. Nothing is normalised. Throws CALLER_ID_INVALID. */
export function nameCaller(payload: JsonObject, { identity }: CallerTrust): NamedCaller {
  if (identity.kind === 'spiffe') {
    const { sub } = payload;
    if (typeof sub !== 'string' || !isWorkloadId(sub)) throw invalid('its sub is not the SPIFFE ID of a workload');
    if (trustDomainOf(sub) === identity.trustDomain) return { kind: 'spiffe', id: sub };
    throw invalid('its sub is not of the trust domain that its issuer speaks for');
  }
  const { prefix, claim } = identity;
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  if (typeof value !== 'string' || value === '') throw invalid(`it has no text in ${claim}`);
  const id = prefix + value;
  if (id.length <= MAX_ID_BYTES && canBeAbove(id)) return { kind: 'oidc', id };
  throw invalid(`its ${claim} has characters or segments that are not allowed in a name`);
}

export function untrusted(why: string, what = 'token of the caller'): EctError {
  return new EctError(reject('CALLER_UNTRUSTED', `The ${what} is rejected: ${why}.`));
}

function invalid(why: string): EctError {
  return new EctError(reject('CALLER_ID_INVALID', `The token of the caller is rejected: ${why}.`));
}

export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}
