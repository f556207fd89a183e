// Which URIs are names below another. A prefix counts only if every URI library agrees that the rest is below it
// (RFC 3986, section 6.2): names are compared byte for byte, and nothing is decoded or normalised first.

import { MAX_URI_BYTES } from './claim-formats.ts';
import { hasSpiffeScheme, isSpiffeId } from './spiffe-id.ts';

/**
 * Whether `iss` is `issuer` or a name below it: `urn:ect:dev:a` below `urn:ect:dev`, `https://example.com/a` below
 * `https://example.com`. A colon after a URI with an authority would be a port, so only a slash leads below that.
 *
 * What follows has no percent encoding, which may hide a dot or a slash, also twice; no `.`, `..` or empty segments; no query,
 * fragment or `;`. Below a SPIFFE ID it must make a SPIFFE ID.
 */
export function isWithin(iss: string, issuer: string): boolean {
  if (iss === issuer) return true;
  if (!iss.startsWith(issuer) || !canBeAbove(issuer)) return false;
  const rest = iss.slice(issuer.length);
  if (hasSpiffeScheme(issuer)) return rest.startsWith('/') && isSpiffeId(iss);
  const separator = rest.charAt(0);
  const leadsBelow = separator === '/' || (separator === ':' && !hasAuthority(issuer));
  return leadsBelow && isPlainPath(rest.slice(1), issuer);
}

/**
 * Whether names can be formed below `issuer`: it is itself free of what `isWithin` rejects, so that what is formed below
 * it means the same to every reader.
 */
export function canBeAbove(issuer: string): boolean {
  if (latest.issuer !== issuer) latest = { issuer, canBeAbove: isAmbiguousToNone(issuer) };
  return latest.canBeAbove;
}

/** The name that was asked about last: for nearly every token it is that of this service. */
let latest = { issuer: '', canBeAbove: false };

function isAmbiguousToNone(issuer: string): boolean {
  if (hasSpiffeScheme(issuer)) return isSpiffeId(issuer);
  if (GUESSED_AUTHORITY.test(issuer)) return false;
  if (!SCHEME.test(issuer)) return false;
  const start = issuer.indexOf(':') + 1;
  return isPlainPath(issuer.slice(issuer.startsWith('//', start) ? start + 2 : start), issuer);
}

/** Names that `iss` is below, the nearest first. None for a name that two readers of URIs could take for different ones. */
export function namesAbove(iss: string): readonly string[] {
  if (iss.length > MAX_URI_BYTES) return [];
  const names: string[] = [];
  for (let end = iss.length - 1; end > 0 && names.length < MAX_NAMES_ABOVE; end--) {
    if (iss[end] !== '/' && iss[end] !== ':') continue;
    const name = iss.slice(0, end);
    if (isWithin(iss, name)) names.push(name);
  }
  return names;
}

/** A deeper name is below none of those further above. */
const MAX_NAMES_ABOVE = 32;

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

/** Schemes after which browsers and Node find an authority also where the slashes are missing: a name below could be its port or user. */
const GUESSED_AUTHORITY = /^(?:https?|wss?|ftp|file):(?!\/\/)/i;

/**
 * What makes a path one that two readers could read differently: a character that is neither unreserved nor a delimiter without a meaning in
 * a path, and a segment that is empty, `.` or `..`. It is searched for in one pass, since every token is asked about.
 */
const FAULT_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,=:@/]|(?:^|\/)\.{0,2}(?:\/|$)/;
/** The same of a URN, where colons part names as well. */
const FAULT_IN_URN = /[^A-Za-z0-9\-._~!$&'()*+,=:@/]|(?:^|[:/])\.{0,2}(?:[:/]|$)/;

function isPlainPath(path: string, uri: string): boolean {
  return !(hasAuthority(uri) ? FAULT_IN_PATH : FAULT_IN_URN).test(path);
}

function hasAuthority(uri: string): boolean {
  return uri.includes('://');
}
