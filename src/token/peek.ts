// What a token says of its key, before anything is verified: good for looking for the key, and for nothing else.

import { looksCompact, readCompact } from './compact.ts';

/** The `kid` in the header of a signed token; undefined for anything else. Linear in `token`, which the caller has bounded. */
export function peekKid(token: string): string | undefined {
  const read = looksCompact(token) ? readCompact(token) : undefined;
  const kid = read?.ok === true ? read.parts.header['kid'] : undefined;
  return typeof kid === 'string' ? kid : undefined;
}
