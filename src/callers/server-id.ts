// The client side of X.509-SVID: a client that identifies its server by a SPIFFE ID instead of a DNS name.

import { tryReadLeaf } from './svid.ts';

/** Distinguishes this fault from other TLS errors. */
export const SERVER_ID_CODE = 'ERR_TLS_SERVER_ID';

/**
 * Why a certificate, whose chain TLS has verified, is not that of the workload `expected`; undefined if it is. The rules are those for
 * callers: exactly one URI SAN, equal byte for byte, in a certificate that signs no others.
 */
export function serverFault(certificate: Uint8Array, expected: string): Error | undefined {
  const leaf = tryReadLeaf(certificate);
  if (leaf !== undefined && !leaf.signsOthers && leaf.uris.length === 1 && leaf.uris[0] === expected) return undefined;
  return Object.assign(new Error(`the certificate of the server is not an X.509-SVID of ${expected}`), {
    code: SERVER_ID_CODE,
  });
}
