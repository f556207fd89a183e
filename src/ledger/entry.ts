// The salted commitment of a leaf to its content, and through the salt to the provenance of the entry. A leaf contains only the
// commitment: after salt, content and provenance are erased, all proofs are still valid, and the erased data cannot be guessed from the
// leaf.

import { hash, randomBytes } from 'node:crypto';

/** Bytes of a salt. */
export const SALT_BYTES = 32;

/** Random bytes before a provenance: a reader of a receipt, who knows the salt, cannot guess the provenance. */
const BLINDING_BYTES = 32;

/** The maximum size of a provenance. The longest names of callers fit twice. */
export const MAX_PROVENANCE_BYTES = 8 * 1024;

/** A commitment, and what opens it. */
export interface Commitment {
  /** 32 unguessable bytes: random ones, or the SHA-256 of the provenance. */
  readonly salt: Uint8Array;
  /** 32 random bytes, followed by the provenance of the candidate; null if it has none. */
  readonly provenance: Uint8Array | null;
  /** base64url(SHA-256(salt || content)), 43 characters. */
  readonly commitment: string;
}

/** The input of a commitment. */
interface Committed {
  readonly content: Uint8Array;
  readonly provenance?: Uint8Array | undefined;
}

/** Commits to each content with a new salt. The random bytes are generated in one call, which is cheaper. */
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

/** The provenance of the candidate. */
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

/** The `commitment` member of a leaf that is a JSON object; undefined if there is none. */
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
