// Makes a token: the payload, the constant header of the key, and when that has been made, the signature; or an unsigned
// object.

import { EctError, reject } from '../errors.ts';
import { isLowRaw, type PublicJwk, type Signer } from '../keys/index.ts';
import type { Claims } from './claims.ts';
import type { CompactToken } from './compact.ts';
import { type Draft, TYPES } from './drafts.ts';
import { writePayload } from './payload.ts';
import { writeUnsigned } from './unsigned.ts';

/** A token that lacks nothing but its signature. */
export interface Unsealed {
  readonly header: string;
  readonly payload: string;
  /** What is to be signed. */
  readonly signingInput: Buffer;
}

/**
 * Writes down claims that keep every rule, for a signer. `extText` is the exact JSON of `claims.ect_ext`. TOKEN_TOO_LARGE if
 * the token would be longer than `maxTokenBytes`. In draft -00 the policy claims leave the extension for the top level.
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

/** A buffer of its own for each payload would cost as much as the encoding. Payloads that do not fit get one. */
const scratch = Buffer.allocUnsafeSlow(4096);

/** Text in UTF-8 as base64url. */
function encodeText(text: string): string {
  if (3 * text.length > scratch.length) return Buffer.from(text, 'utf8').toString('base64url');
  return scratch.toString('base64url', 0, scratch.write(text, 'utf8'));
}

/** How long the token will be. */
export function sealedBytes({ header, payload }: Pick<Unsealed, 'header' | 'payload'>): number {
  return header.length + payload.length + 2 + SIGNATURE_CHARACTERS;
}

/** The token with its signature, raw r || s. SIGNER_BAD_OUTPUT for what cannot be one at all, whatever a signer promises. */
export function sealToken({ header, payload }: Unsealed, raw: Uint8Array): CompactToken {
  // A signer checks its own answers.
  if (!isLowRaw(raw)) throw badOutput();
  return `${header}.${payload}.${asBuffer(raw).toString('base64url')}` as CompactToken;
}

/** The octets that are signed: both parts are ASCII. */
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

/** The same claims as an unsigned object (L1): compact JSON, or its base64url where the JSON would look signed. */
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

/** 64 bytes as base64url. */
const SIGNATURE_CHARACTERS = 86;

/** What a token of ours has besides its payload: the longer header of the two drafts, the signature and the dots. */
export const SEALED_BYTES = sealedBytes({
  header: encodeHeader({ alg: 'ES256', kid: 'k'.repeat(43) }, '00'),
  payload: '',
});

const encodedHeaders = { '00': new WeakMap<PublicJwk, string>(), '01': new WeakMap<PublicJwk, string>() };

/** The header is the same for every token of a key in one draft, so it is encoded once. */
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
