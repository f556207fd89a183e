// The salted commitment that ties a leaf to its content. A leaf holds the commitment only: erase salt and content, and the
// tree still proves everything it proved, and the content cannot be guessed from the leaf.

import { hash, randomBytes } from 'node:crypto';

/** Bytes of a salt. */
export const SALT_BYTES = 32;

/** A commitment and what opens it. */
export interface Commitment {
  /** 32 random bytes. */
  readonly salt: Uint8Array;
  /** base64url(SHA-256(salt || content)), 43 characters. */
  readonly commitment: string;
}

/** Commits to each content under a fresh salt of its own. One draw serves all: it costs more than the bytes do. */
export function commitEach(contents: readonly Uint8Array[]): readonly Commitment[] {
  const salts = randomBytes(contents.length * SALT_BYTES);
  return contents.map((content, position) => {
    const salt = salts.subarray(position * SALT_BYTES, (position + 1) * SALT_BYTES);
    return { salt, commitment: commitmentOf(salt, content) };
  });
}

/**
 * Whether salt and content open the commitment. The salt must have its full length: with another, the border between the
 * two could be moved, and one commitment would open to several contents.
 */
export function opensCommitment(commitment: string, salt: Uint8Array, content: Uint8Array): boolean {
  return salt.length === SALT_BYTES && commitmentOf(salt, content) === commitment;
}

/** The `commitment` member of a leaf that is a JSON object; undefined where there is none. */
export function commitmentIn(leaf: Uint8Array): string | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(leaf));
    if (typeof parsed !== 'object' || parsed === null || !('commitment' in parsed)) return undefined;
    return typeof parsed.commitment === 'string' ? parsed.commitment : undefined;
  } catch {
    // Not UTF-8 or not JSON: a leaf without a commitment.
    return undefined;
  }
}

function commitmentOf(salt: Uint8Array, content: Uint8Array): string {
  return hash('sha256', Buffer.concat([salt, content]), 'base64url');
}
