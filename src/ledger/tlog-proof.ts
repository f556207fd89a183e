// The C2SP tlog-proof text: an inclusion proof and its checkpoint in one file that is checked offline.

import { SALT_BYTES } from './entry.ts';
import { decodeBase64, encodeBase64, parseDecimal } from './text-forms.ts';
import { HASH_BYTES } from './tree.ts';

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
/** A longer path belongs to no tree whose size is a safe integer. */
const MAX_HASHES = 53;

/** The content of a tlog-proof. */
export interface TlogProof {
  readonly leafIndex: number;
  /** From the sibling of the leaf up to the child of the root, 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: string;
  /** The `extra` line: the salt of the commitment. Null if it was erased or is withheld. */
  readonly salt: Uint8Array | null;
}

/** Writes the text. */
export function writeTlogProof(proof: TlogProof): string {
  const extra = proof.salt === null ? '' : `extra ${encodeBase64(proof.salt)}\n`;
  const hashes = proof.hashes.map((hash) => `${encodeBase64(hash)}\n`).join('');
  return `${FIRST_LINE}\n${extra}index ${proof.leafIndex}\n${hashes}\n${proof.checkpoint}`;
}

/** Reads the text, which is attacker-controlled; undefined if it is not a tlog-proof whose extra line is a salt. */
export function parseTlogProof(text: string): TlogProof | undefined {
  // The first empty line ends the proof. What follows is the checkpoint, verbatim.
  const end = text.indexOf('\n\n');
  if (end < 0) return undefined;
  const lines = text.slice(0, end).split('\n');
  if (lines.shift() !== FIRST_LINE) return undefined;
  const salt = lines[0]?.startsWith('extra ') ? decodeOf(lines.shift()?.slice(6), SALT_BYTES) : null;
  const leafIndex = lines[0]?.startsWith('index ') ? parseDecimal(lines[0].slice(6)) : undefined;
  if (salt === undefined || leafIndex === undefined || lines.length > 1 + MAX_HASHES) return undefined;
  const hashes = lines.slice(1).map((line) => decodeOf(line, HASH_BYTES));
  if (!hashes.every((hash) => hash !== undefined)) return undefined;
  return { leafIndex, hashes, checkpoint: text.slice(end + 2), salt };
}

function decodeOf(text: string | undefined, length: number): Uint8Array | undefined {
  const bytes = decodeBase64(text ?? '');
  return bytes?.length === length ? bytes : undefined;
}
