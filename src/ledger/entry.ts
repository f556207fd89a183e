// The salted commitment that ties a leaf to its content, and through the salt to the provenance of the entry. A leaf holds the
// commitment only: erase salt, content and provenance, and the tree still proves everything it proved, while nobody can guess
// what was erased from the leaf.

import { hash, randomBytes } from 'node:crypto';

/** Bytes of a salt. */
export const SALT_BYTES = 32;

/** Random bytes in front of a provenance: who knows the salt, as each reader of a receipt does, cannot guess it. */
const BLINDING_BYTES = 32;

/** The most that a candidate may say of its provenance. The longest names that a caller can have fit twice. */
export const MAX_PROVENANCE_BYTES = 8 * 1024;

/** A commitment and what opens it. */
export interface Commitment {
  /** 32 bytes that nobody can guess: random ones, or the SHA-256 of the provenance. */
  readonly salt: Uint8Array;
  /** 32 random bytes, then what the candidate says of its provenance; null where it says nothing. */
  readonly provenance: Uint8Array | null;
  /** base64url(SHA-256(salt || content)), 43 characters. */
  readonly commitment: string;
}

/** What is committed to. */
interface Committed {
  readonly content: Uint8Array;
  readonly provenance?: Uint8Array | undefined;
}

/** Commits to each content under a fresh salt of its own. One draw serves all: it costs more than the bytes do. */
export function commitEach(candidates: readonly Committed[]): readonly Commitment[] {
  const random = randomBytes(candidates.length * SALT_BYTES);
  return candidates.map(({ content, provenance: stated }, position) => {
    const drawn = random.subarray(position * SALT_BYTES, (position + 1) * SALT_BYTES);
    const provenance = stated === undefined ? null : blinded(drawn, stated);
    const salt = provenance === null ? drawn : hash('sha256', provenance, 'buffer');
    return { salt, provenance, commitment: commitmentOf(salt, content) };
  });
}

function blinded(blinding: Uint8Array, stated: Uint8Array): Uint8Array {
  if (stated.length === 0 || stated.length > MAX_PROVENANCE_BYTES) {
    throw new TypeError(`A provenance has 1 to ${MAX_PROVENANCE_BYTES} bytes.`);
  }
  return Buffer.concat([blinding, stated]);
}

/** What the candidate said of its provenance. */
export function statedProvenance(provenance: Uint8Array): Uint8Array {
  return provenance.subarray(BLINDING_BYTES);
}

/** Whether the salt, and so the leaf, commits to this provenance. */
export function opensSalt(salt: Uint8Array, provenance: Uint8Array): boolean {
  const { length } = provenance;
  const isWhole = length > BLINDING_BYTES && length <= BLINDING_BYTES + MAX_PROVENANCE_BYTES;
  return isWhole && Buffer.compare(hash('sha256', provenance, 'buffer'), salt) === 0;
}

/**
 * Whether salt and content open the commitment. The salt must have its full length: with another, the boundary between the
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
