// The grammar of a SPIFFE ID. It leaves no second spelling of one identity: no escapes, no ports, no empty segments.

const MAX_BYTES = 2048;
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** Whether `text` is the SPIFFE ID of a workload. An ID without a path names a trust domain, not a workload. */
export function isWorkloadId(text: string): boolean {
  if (text.length > MAX_BYTES || !text.startsWith('spiffe://')) return false;
  const [trustDomain, ...segments] = text.slice('spiffe://'.length).split('/');
  return TRUST_DOMAIN.test(trustDomain ?? '') && segments.length > 0 && segments.every(isSegment);
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}
