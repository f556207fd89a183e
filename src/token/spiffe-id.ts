// SPIFFE IDs (SPIFFE-ID, sections 2.1 to 2.3). The grammar gives each identity one spelling: no escapes, no ports, no empty segments and
// no dot segments. All other code uses this parser.

const SCHEME = 'spiffe://';
const MAX_BYTES = 2048;
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
const ANY_CASE = /^spiffe:/i;

/** Whether a URI parser would read the scheme of `uri` as `spiffe`, in upper or lower case. */
export function hasSpiffeScheme(uri: string): boolean {
  return ANY_CASE.test(uri);
}

/** Whether `text` is a SPIFFE ID: of a workload, or of a trust domain (without a path). */
export function isSpiffeId(text: string): boolean {
  if (text.length > MAX_BYTES || !text.startsWith(SCHEME)) return false;
  const [trustDomain = '', ...segments] = text.slice(SCHEME.length).split('/');
  return isTrustDomain(trustDomain) && segments.every(isSegment);
}

/** Whether `text` is the SPIFFE ID of a workload, which has a path. */
export function isWorkloadId(text: string): boolean {
  return text.includes('/', SCHEME.length) && isSpiffeId(text);
}

/** Whether `text` is the name of a trust domain. */
export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text);
}

/** Returns the trust domain of a SPIFFE ID. */
export function trustDomainOf(id: string): string {
  const end = id.indexOf('/', SCHEME.length);
  return id.slice(SCHEME.length, end === -1 ? undefined : end);
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}
