// Checkpoints: the signed statement of a ledger about its tree, as a C2SP signed note with a C2SP tlog-checkpoint.

import { verify } from 'node:crypto';
import { type LedgerKey, originFault, parseVerifierKey, type VerifierKey } from './ledger-key.ts';
import { decodeBase64, encodeBase64, parseDecimal } from './text-forms.ts';
import { HASH_BYTES } from './tree.ts';

/** Longest accepted note, in characters: room for 16 signatures of the largest kind in use. */
const MAX_NOTE_LENGTH = 131_072;

/** Size and root of a tree. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** A checkpoint with a valid signature, or a message with its fault. */
export type OpenedCheckpoint =
  | ({ readonly ok: true; readonly origin: string } & TreeHead)
  | { readonly ok: false; readonly fault: string };

/** Signs a tree head. The same head yields the same note, because Ed25519 is deterministic. */
export function signCheckpoint(key: LedgerKey, head: TreeHead): string {
  const text = `${key.origin}\n${head.size}\n${encodeBase64(head.root)}\n`;
  const signature = Buffer.concat([key.keyId, key.sign(Buffer.from(text))]);
  return `${text}\n— ${key.origin} ${encodeBase64(signature)}\n`;
}

/**
 * Opens a checkpoint of the ledger with this `verifierKey`. The note is attacker-controlled: it is only parsed after its signature was
 * verified. Signatures of other keys (witnesses) are ignored. Stricter than the format: the origin must be the name of the key.
 */
export function openCheckpoint(note: string, verifierKey: string): OpenedCheckpoint {
  const key = parseVerifierKey(verifierKey);
  if (key === undefined) return fault('the verifier key is not an Ed25519 key in the signed-note form');
  const parts = splitNote(note);
  if (parts === undefined) return fault('the checkpoint is not a signed note');
  const signature = parts.signatures.find(({ name, bytes }) => name === key.origin && isBy(key, bytes));
  if (signature === undefined) return fault('the checkpoint is not signed by this ledger key');
  if (!verify(null, Buffer.from(parts.text), key.publicKey, signature.bytes.subarray(4))) {
    return fault('the signature of the checkpoint does not verify');
  }
  // From here on the text is authenticated by the ledger.
  const head = parseText(parts.text);
  if (head === undefined) return fault('the signed note does not contain a checkpoint');
  if (head.origin !== key.origin) return fault('the checkpoint is of another origin than the key');
  return { ok: true, ...head };
}

interface NoteSignature {
  readonly name: string;
  /** Four bytes of key id, then the signature. */
  readonly bytes: Uint8Array;
}

function splitNote(note: string): { text: string; signatures: readonly NoteSignature[] } | undefined {
  if (note.length > MAX_NOTE_LENGTH || !note.isWellFormed() || hasControls(note)) return undefined;
  const end = note.lastIndexOf('\n\n');
  if (end < 1 || !note.endsWith('\n')) return undefined;
  const signatures = note
    .slice(end + 2, -1)
    .split('\n')
    .map(parseSignature);
  return signatures.every((signature) => signature !== undefined)
    ? { text: note.slice(0, end + 1), signatures }
    : undefined;
}

function parseSignature(line: string): NoteSignature | undefined {
  const [dash, name = '', encoded = '', ...more] = line.split(' ');
  const bytes = decodeBase64(encoded);
  if (dash !== '—' || more.length > 0 || originFault(name) !== undefined) return undefined;
  return bytes !== undefined && bytes.length > 4 ? { name, bytes } : undefined;
}

function isBy(key: VerifierKey, signature: Uint8Array): boolean {
  return Buffer.compare(signature.subarray(0, 4), key.keyId) === 0;
}

/** Origin, size and root, then extension lines, which are allowed and ignored but may not be empty. */
function parseText(text: string): ({ origin: string } & TreeHead) | undefined {
  const [origin = '', sizeText = '', rootText = '', ...extensions] = text.slice(0, -1).split('\n');
  const size = parseDecimal(sizeText);
  const root = decodeBase64(rootText);
  if (size === undefined || root?.length !== HASH_BYTES || extensions.includes('')) return undefined;
  return { origin, size, root };
}

function hasControls(note: string): boolean {
  for (let i = 0; i < note.length; i += 1) {
    const unit = note.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a) return true;
  }
  return false;
}

function fault(sentence: string): OpenedCheckpoint {
  return { ok: false, fault: sentence };
}
