// Makes tokens: the payload, the header of the key and, after signing, the signature. Also makes unsigned objects.

import { EctError, reject } from '../errors.ts';
import { isLowRaw, type PublicJwk, type Signer } from '../keys/index.ts';
import type { Claims } from './claims.ts';
import type { CompactToken } from './compact.ts';
import { type Draft, TYPES } from './drafts.ts';
import { writePayload } from './payload.ts';
import { writeUnsigned } from './unsigned.ts';

/** A token without its signature. */
export interface Unsealed {
  readonly header: string;
  readonly payload: string;
  /** The octets to sign. */
  readonly signingInput: Buffer;
}

/**
 * Encodes valid claims for signing. `extText` is the exact JSON of `claims.ect_ext`. Throws TOKEN_TOO_LARGE if the token would be longer
 * than `maxTokenBytes`. In draft -00 the policy claims move from the extension to the top level.
 */
export function prepareToken(
  claims: Claims,
  extText: string | undefined,
  signer: Pick<Signer, 'jwk'>,
  maxTokenBytes: number,
  draft: Draft = '01',
): Unsealed {
  const payload = encodeText(writePayload(claims, extText, draft));
  const header = encodedHeader(signer.jwk, draft);
  checkLength(sealedBytes({ header, payload }), maxTokenBytes);
  return { header, payload, signingInput: writeSigningInput(header, payload) };
}

/** A shared buffer: to allocate one for each payload would cost as much as the encoding. A larger payload gets its own. */
const scratch = Buffer.allocUnsafeSlow(4096);

/** Encodes a text as UTF-8 and then as base64url. */
function encodeText(text: string): string {
  if (3 * text.length > scratch.length) return Buffer.from(text, 'utf8').toString('base64url');
  return scratch.toString('base64url', 0, scratch.write(text, 'utf8'));
}

/** Returns the length of the signed token in bytes. */
export function sealedBytes({ header, payload }: Pick<Unsealed, 'header' | 'payload'>): number {
  return header.length + payload.length + 2 + SIGNATURE_CHARACTERS;
}

/**
 * Adds the signature, raw r
 *
 * s, to the token. Throws SIGNER_BAD_OUTPUT if `raw` cannot be a signature.
 */
export function sealToken({ header, payload }: Unsealed, raw: Uint8Array): CompactToken {
  // The form is checked here for every signer; that the signature verifies is checked by the signer itself.
  if (!isLowRaw(raw)) throw badOutput();
  return `${header}.${payload}.${asBuffer(raw).toString('base64url')}` as CompactToken;
}

/** Returns the signing input. Both parts are ASCII. */
function writeSigningInput(header: string, payload: string): Buffer {
  const input = Buffer.allocUnsafe(header.length + 1 + payload.length);
  input.write(header, 0, 'latin1');
  input[header.length] = DOT;
  input.write(payload, header.length + 1, 'latin1');
  return input;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const DOT = 0x2e;

/** Encodes the claims as an unsigned object (L1): compact JSON, or its base64url if the JSON has exactly two dots. */
export function mintUnsigned(claims: Claims, extText: string | undefined, maxTokenBytes: number): string {
  const text = writeUnsigned(writePayload(claims, extText));
  checkLength(Buffer.byteLength(text), maxTokenBytes);
  return text;
}

function badOutput(): EctError {
  return new EctError(reject('SIGNER_BAD_OUTPUT', 'The signer answered what is no ES256 signature with the low s.'));
}

function checkLength(bytes: number, maxTokenBytes: number): void {
  if (bytes <= maxTokenBytes) return;
  throw new EctError(reject('TOKEN_TOO_LARGE', 'The token would be too long.', { limit_bytes: String(maxTokenBytes) }));
}

/** The length of a signature: 64 bytes in base64url. */
const SIGNATURE_CHARACTERS = 86;

/** What a signed token has in addition to its payload, in bytes: the longer header of the two drafts, the signature and the dots. */
export const SEALED_BYTES = sealedBytes({
  header: encodeHeader({ alg: 'ES256', kid: 'k'.repeat(43) }, '00'),
  payload: '',
});

const encodedHeaders = { '00': new WeakMap<PublicJwk, string>(), '01': new WeakMap<PublicJwk, string>() };

/** Returns the encoded header. It is the same for all tokens of one key and draft, so it is cached. */
function encodedHeader(jwk: PublicJwk, draft: Draft): string {
  let encoded = encodedHeaders[draft].get(jwk);
  if (encoded === undefined) {
    encoded = encodeHeader(jwk, draft);
    encodedHeaders[draft].set(jwk, encoded);
  }
  return encoded;
}

function encodeHeader({ alg, kid }: { readonly alg: string; readonly kid: string }, draft: Draft): string {
  return Buffer.from(JSON.stringify({ alg, typ: TYPES[draft], kid }), 'utf8').toString('base64url');
}
