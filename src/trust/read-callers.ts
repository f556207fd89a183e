// Reads the callers of an issuer in the trust file.

import { canBeAbove, hasSpiffeScheme, isTrustDomain, type JsonValue } from '../token/index.ts';
import { Fields, isObject, type Report } from './fields.ts';
import type { CallerIdentity, CallerTrust } from './issuer.ts';

export const CALLER_ALGORITHM_NAMES = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const;

const MEMBERS = ['audience', 'other_audiences', 'trust_domain', 'prefix', 'claim', 'max_lifetime_seconds'];
const SPIFFE = 'spiffe://';
const DAY_SECONDS = 86_400;

/** Reads the member `callers` of the issuer `iss`. Undefined, with a reported mistake, if it cannot be read. */
export function readCallers(
  value: JsonValue | undefined,
  iss: string,
  algorithms: readonly string[] | undefined,
  place: string,
  report: Report,
): CallerTrust | undefined {
  if (!isObject(value)) {
    report(place, 'must be an object, where use has callers');
    return undefined;
  }
  const fields = new Fields(value, MEMBERS, place, report);
  const audience = fields.text('audience', /^[!-~]{1,2048}$/, 'a text without blanks');
  if (value['audience'] === undefined) fields.wrong('audience', 'must say what aud is');
  const identity = readIdentity(fields, iss);
  const trust = {
    acceptsOtherAudiences: fields.flag('other_audiences'),
    algorithms: algorithms ?? CALLER_ALGORITHM_NAMES,
    maxLifetimeSeconds: fields.whole('max_lifetime_seconds', DAY_SECONDS, 60, 7 * DAY_SECONDS),
  };
  return audience === undefined || identity === undefined ? undefined : { audience, identity, ...trust };
}

/** The same for an issuer of former callers: their names. */
export function readPastCallers(
  value: JsonValue | undefined,
  iss: string,
  place: string,
  report: Report,
): CallerIdentity | undefined {
  if (isObject(value)) return readIdentity(new Fields(value, ['trust_domain', 'prefix', 'claim'], place, report), iss);
  report(place, 'must be an object, where use has past_callers');
  return undefined;
}

function readIdentity(fields: Fields, iss: string): CallerIdentity | undefined {
  if (hasSpiffeScheme(iss)) return readOwnDomain(fields, iss.slice(SPIFFE.length));
  const trustDomain = fields.text(
    'trust_domain',
    /^[a-z0-9._-]{1,255}$/,
    'the name of a trust domain, without spiffe://',
  );
  const prefix = fields.text('prefix', /^[!-~]{1,1024}$/, 'a text without blanks');
  const claim = fields.text('claim', /^[!-~]{1,256}$/, 'the name of a claim');
  const { object } = fields;
  if ((object['trust_domain'] === undefined) === (object['prefix'] === undefined)) {
    fields.wrong('prefix', 'or trust_domain must say who its callers are, and not both');
    return undefined;
  }
  if (object['claim'] !== undefined && object['prefix'] === undefined) {
    fields.wrong('claim', 'needs a prefix: a SPIFFE ID is always in sub');
  }
  if (trustDomain !== undefined) return { kind: 'spiffe', trustDomain };
  if (prefix === undefined) return undefined;
  if (isPrefix(prefix)) return { kind: 'oidc', prefix, claim: claim ?? 'sub' };
  fields.wrong(
    'prefix',
    'must be an absolute URI that ends with : or /, without escapes, empty or dot segments, and not spiffe://',
  );
  return undefined;
}

/** A trust domain is trusted for its own workloads only. */
function readOwnDomain(fields: Fields, own: string): CallerIdentity | undefined {
  for (const member of ['trust_domain', 'prefix', 'claim']) {
    if (fields.object[member] !== undefined)
      fields.wrong(member, 'is not for a trust domain: its callers are its workloads');
  }
  if (isTrustDomain(own)) return { kind: 'spiffe', trustDomain: own };
  fields.wrong(
    'audience',
    'is for callers, whose issuer is a trust domain (spiffe://example.org) or no spiffe:// at all',
  );
  return undefined;
}

/** After this colon follows a port, or it turns the host into a user: `https://a:` and `b@c` have the host `c`. */
const ENDS_IN_HOST = /^[^:]*:\/\/[^/]*:$/;

/** After it a separate name begins. A SPIFFE ID is never composed. */
function isPrefix(text: string): boolean {
  return !hasSpiffeScheme(text) && /[:/]$/.test(text) && !ENDS_IN_HOST.test(text) && canBeAbove(text.slice(0, -1));
}

/** Whether two issuers could form the same name for a caller. */
export function canCollide(one: CallerIdentity, other: CallerIdentity): boolean {
  if (one.kind === 'spiffe') return other.kind === 'spiffe' && one.trustDomain === other.trustDomain;
  return other.kind === 'oidc' && (one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix));
}
