// The hash claims, and the digest that identifies a token.

import { hash } from 'node:crypto';
import { looksCompact } from './compact.ts';

/** Returns the value of `inp_hash` or `out_hash` for these octets: SHA-256 in base64url, 43 characters. */
export function hashClaim(octets: Uint8Array): string {
  return hash('sha256', octets, 'base64url');
}

/** Whether a valid hash claim is the hash of these octets. In draft -00 the claim may name another hash function. */
export function isHashOf(claim: string, octets: Uint8Array): boolean {
  if (claim.startsWith('sha-384:')) return claim === `sha-384:${hash('sha384', octets, 'base64url')}`;
  if (claim.startsWith('sha-512:')) return claim === `sha-512:${hash('sha512', octets, 'base64url')}`;
  return claim === hashClaim(octets);
}

/** Returns SHA-256 of the signing input, 32 bytes. It identifies a token independently of the encoding of its signature. */
export function digestOfInput(signingInput: Uint8Array): Buffer {
  return hash('sha256', signingInput, 'buffer');
}

/** Returns the same digest for a whole token: of its signing input, or of all bytes of an unsigned object. */
export function digestOfToken(token: string): Buffer {
  const signed = looksCompact(token) ? token.slice(0, token.lastIndexOf('.')) : token;
  return digestOfInput(Buffer.from(signed, 'utf8'));
}
