// The Ed25519 key of a ledger and its two text forms: the verifier key of C2SP signed notes, and the private form of Go's note tools. The
// name in both is the origin, the first line of every checkpoint.

import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { EctError, reject } from '../errors.ts';
import { decodeBase64, encodeBase64 } from './text-forms.ts';

const ED25519 = 0x01;
const KEY_BYTES = 32;
// DER of an Ed25519 private key up to its seed, because node:crypto does not import a bare seed.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key that signs for one ledger. */
export interface LedgerKey {
  readonly origin: string;
  /** `<origin>+<8 hex>+<base64>`: what an auditor needs, to be distributed out of band. */
  readonly verifierKey: string;
  /** Four bytes that identify the key in a signature line. */
  readonly keyId: Uint8Array;
  sign(text: Uint8Array): Uint8Array;
}

/** The content of a verifier key text. */
export interface VerifierKey {
  readonly origin: string;
  readonly keyId: Uint8Array;
  readonly publicKey: KeyObject;
}

/** Why a ledger cannot have this name; undefined if it can. */
export function originFault(origin: string): string | undefined {
  if (origin === '') return 'the origin is empty';
  if (!origin.isWellFormed()) return 'the origin is not well-formed Unicode';
  return /[\p{White_Space}\p{Cc}+]/u.test(origin) ? 'the origin has a space, a control character or a plus' : undefined;
}

/** Generates a private key text, `PRIVATE+KEY+<origin>+<8 hex>+<base64>`. It is a secret. */
export function generateLedgerKey(origin: string): string {
  const fault = originFault(origin);
  if (fault !== undefined) throw new TypeError(fault);
  const seed = randomBytes(KEY_BYTES);
  const keyId = keyIdOf(origin, publicBytes(privateKeyOf(seed)));
  return `PRIVATE+KEY+${origin}+${hexOf(keyId)}+${encodeBase64(Buffer.of(ED25519, ...seed))}`;
}

/** Opens a private key text. Throws LEDGER_CORRUPT if it is invalid; the message never contains the text. */
export function openLedgerKey(text: string): LedgerKey {
  const prefix = 'PRIVATE+KEY+';
  const parts = text.startsWith(prefix) ? splitKey(text.slice(prefix.length)) : undefined;
  if (parts === undefined) throw unreadable('it has not the form PRIVATE+KEY+<origin>+<id>+<key>');
  const { origin, keyId } = parts;
  const privateKey = privateKeyOf(parts.key);
  const publicKey = publicBytes(privateKey);
  if (!keyIdOf(origin, publicKey).equals(keyId)) throw unreadable('its id does not fit its origin and key');
  return {
    origin,
    verifierKey: `${origin}+${hexOf(keyId)}+${encodeBase64(Buffer.of(ED25519, ...publicKey))}`,
    keyId,
    sign: (note) => sign(null, note, privateKey),
  };
}

/** Reads a verifier key text; undefined if it is invalid. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const parts = splitKey(text);
  if (parts === undefined || !keyIdOf(parts.origin, parts.key).equals(parts.keyId)) return undefined;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(parts.key).toString('base64url') };
  return { origin: parts.origin, keyId: parts.keyId, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) };
}

/**
 * `<origin>+<8 hex>+<base64(0x01
 *
 * 32 bytes)>`. Base64 may contain a plus sign; the parts before it cannot.
 */
function splitKey(text: string): { origin: string; keyId: Uint8Array; key: Uint8Array } | undefined {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text);
  const [, origin = '', id = '', body = ''] = match ?? [];
  const bytes = decodeBase64(body);
  if (originFault(origin) !== undefined || bytes?.length !== 1 + KEY_BYTES || bytes[0] !== ED25519) return undefined;
  return { origin, keyId: Buffer.from(id, 'hex'), key: bytes.subarray(1) };
}

function keyIdOf(origin: string, publicKey: Uint8Array): Buffer {
  const hash = createHash('sha256').update(`${origin}\n`).update(Buffer.of(ED25519)).update(publicKey);
  return hash.digest().subarray(0, 4);
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

function publicBytes(privateKey: KeyObject): Uint8Array {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unreadable(why: string): EctError {
  return new EctError(reject('LEDGER_CORRUPT', `the ledger key cannot be read: ${why}`));
}
