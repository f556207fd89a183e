// Whose name a token may carry. An authority that signs for anybody is a forgery service.

import { EctError, refuse } from '../errors.ts';
import type { Caller } from './caller.ts';

/**
 * The `iss` of a token for this caller. A proven caller has its own identity and no other. An anonymous caller, where
 * the service was opened for such, has the service's own issuer and the names below it. ISSUER_NOT_ALLOWED otherwise.
 */
export function issuerFor(caller: Caller, requested: string, ownIssuer: string): string {
  const iss = requested === '' ? defaultIssuer(caller, ownIssuer) : requested;
  const allowed = caller.kind === 'spiffe' ? iss === caller.id : isWithin(iss, ownIssuer);
  if (allowed) return iss;
  const scope = caller.kind === 'spiffe' ? 'its own identity' : `${ownIssuer} and names below it`;
  throw new EctError(
    refuse('ISSUER_NOT_ALLOWED', `This caller may issue only as ${scope}.`, { iss: iss.slice(0, 256) }),
  );
}

function defaultIssuer(caller: Caller, ownIssuer: string): string {
  return caller.kind === 'spiffe' ? caller.id : ownIssuer;
}

/**
 * Whether `iss` is `ownIssuer` or a name below it: `urn:ect:dev:a` below `urn:ect:dev`, `https://example.com/a` below
 * `https://example.com`. A colon after a URI with an authority would be a port, so only a slash leads below that.
 *
 * What follows is taken only if every reader of URIs understands it in the same way (RFC 3986, section 6.2): no percent
 * encoding, which may hide a dot or a slash, also twice; no `.`, `..` or empty segments; no query, fragment or `;`.
 */
export function isWithin(iss: string, ownIssuer: string): boolean {
  if (iss === ownIssuer) return true;
  if (!iss.startsWith(ownIssuer)) return false;
  const rest = iss.slice(ownIssuer.length);
  const separator = rest.charAt(0);
  const leadsBelow = separator === '/' || (separator === ':' && !hasAuthority(ownIssuer));
  return leadsBelow && isPlainPath(rest.slice(1), ownIssuer);
}

/**
 * Whether names can be formed below `issuer`: it is itself free of what `isWithin` refuses, so that what is formed below
 * it means the same to every reader.
 */
export function canBeAbove(issuer: string): boolean {
  const [, rest] = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?(.*)$/s.exec(issuer) ?? [];
  return rest !== undefined && isPlainPath(rest, issuer);
}

/** Unreserved characters, and delimiters to which no reader of a path gives a meaning. */
const PLAIN_SEGMENT = /^[A-Za-z0-9\-._~!$&'()*+,=:@]+$/;

/** Of a URN the colons part names as well. */
function isPlainPath(path: string, uri: string): boolean {
  const segments = path.split(hasAuthority(uri) ? '/' : /[:/]/);
  return segments.every((segment) => PLAIN_SEGMENT.test(segment) && segment !== '.' && segment !== '..');
}

function hasAuthority(uri: string): boolean {
  return uri.includes('://');
}
