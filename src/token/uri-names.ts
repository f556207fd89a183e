// Decides which URIs are names below another URI. A prefix counts only if every URI library agrees that the rest is below it (RFC 3986,
// section 6.2): names are compared byte for byte, without decoding or normalisation.

import { MAX_URI_BYTES } from './claim-formats.ts';
import { hasSpiffeScheme, isSpiffeId } from './spiffe-id.ts';

/**
 * Whether `iss` is `issuer` or a name below it: `urn:ect:dev:a` is below `urn:ect:dev`, and `https://example.com/a` is below
 * `https://example.com`. A colon after a URI with an authority would start a port, so only a slash leads below such a URI.
 *
 * The rest must not contain percent encoding, which can hide a dot or a slash (also by double encoding); `.`, `..` or empty segments; a
 * query, a fragment or `;`. Below a SPIFFE ID the result must be a SPIFFE ID.
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
 * Whether names can be formed below `issuer`: it contains nothing that `isWithin` rejects, so every URI library reads the names below it
 * in the same way.
 */
export function canBeAbove(issuer: string): boolean {
  if (latest.issuer !== issuer) latest = { issuer, canBeAbove: isAmbiguousToNone(issuer) };
  return latest.canBeAbove;
}

/** The last issuer that was checked. Nearly always it is the issuer of this service. */
let latest = { issuer: '', canBeAbove: false };

function isAmbiguousToNone(issuer: string): boolean {
  if (hasSpiffeScheme(issuer)) return isSpiffeId(issuer);
  if (GUESSED_AUTHORITY.test(issuer)) return false;
  if (!SCHEME.test(issuer)) return false;
  return isPlainPath(issuer.slice(startOfPath(issuer)), issuer);
}

/** After the scheme, and after the slashes of an authority. */
function startOfPath(uri: string): number {
  const start = uri.indexOf(':') + 1;
  return uri.startsWith('//', start) ? start + 2 : start;
}

/**
 * Returns the names that `iss` is below, the nearest first. Returns none if two URI libraries could read `iss` differently. A name is above
 * exactly if `iss` itself could be above others, because each part between two separators is checked alone: so the text is checked once, and
 * not once for each separator, of which a caller may send a thousand.
 */
export function namesAbove(iss: string): readonly string[] {
  if (iss.length > MAX_URI_BYTES || !isAmbiguousToNone(iss)) return [];
  const first = startOfPath(iss) + 1;
  const separatesByColon = !hasAuthority(iss);
  const names: string[] = [];
  for (let end = iss.length - 1; end >= first && names.length < MAX_NAMES_ABOVE; end--) {
    const separator = iss[end];
    if (separator === '/' || (separator === ':' && separatesByColon)) names.push(iss.slice(0, end));
  }
  return names;
}

/** The maximum number of names that are returned. If `iss` has more, the furthest ones do not apply. */
const MAX_NAMES_ABOVE = 32;

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

/**
 * Schemes after which browsers and Node parse an authority even if the slashes are missing. A name below could be read as its port or
 * user.
 */
const GUESSED_AUTHORITY = /^(?:https?|wss?|ftp|file):(?!\/\/)/i;

/**
 * The faults of a path that two parsers could read differently: a character that is neither unreserved nor a delimiter without a meaning
 * in a path, and a segment that is empty, `.` or `..`. One expression finds all of them, because every token is checked.
 */
const FAULT_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,=:@/]|(?:^|\/)\.{0,2}(?:\/|$)/;
/** The same faults in a URN, in which colons also separate segments. */
const FAULT_IN_URN = /[^A-Za-z0-9\-._~!$&'()*+,=:@/]|(?:^|[:/])\.{0,2}(?:[:/]|$)/;

function isPlainPath(path: string, uri: string): boolean {
  return !(hasAuthority(uri) ? FAULT_IN_PATH : FAULT_IN_URN).test(path);
}

function hasAuthority(uri: string): boolean {
  return uri.includes('://');
}
