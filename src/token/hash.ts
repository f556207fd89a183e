// Hashes where tokens use them: the hash claims, and the digest that identifies a token.

import { hash } from 'node:crypto';
import { looksCompact } from './compact.ts';

/** The value that `inp_hash` or `out_hash` has for these octets: 43 characters. */
export function hashClaim(octets: Uint8Array): string {
  return hash('sha256', octets, 'base64url');
}

/** Whether a hash claim that keeps its rule is the one of these octets, under the name that a claim of -00 may have. */
export function isHashOf(claim: string, octets: Uint8Array): boolean {
  if (claim.startsWith('sha-384:')) return claim === `sha-384:${hash('sha384', octets, 'base64url')}`;
  if (claim.startsWith('sha-512:')) return claim === `sha-512:${hash('sha512', octets, 'base64url')}`;
  return claim === hashClaim(octets);
}

/** What identifies a token, whichever spelling its signature has: SHA-256 of what is signed, 32 bytes. */
export function digestOfInput(signingInput: Uint8Array): Buffer {
  return hash('sha256', signingInput, 'buffer');
}

/** The same of a whole token: of its signing input, or of every byte of an unsigned object. */
export function digestOfToken(token: string): Buffer {
  const signed = looksCompact(token) ? token.slice(0, token.lastIndexOf('.')) : token;
  return digestOfInput(Buffer.from(signed, 'utf8'));
}
