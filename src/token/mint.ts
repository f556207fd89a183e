// Makes a token: the payload, the constant header of the key, one signature; or an unsigned object.

import { EctError, refuse } from '../errors.ts';
import { isLowRaw, type Signer, type Until } from '../keys/index.ts';
import type { Claims } from './claims.ts';
import type { CompactToken } from './compact.ts';
import { type Draft, TYPES } from './drafts.ts';
import { writePayload } from './payload.ts';
import { writeUnsigned } from './unsigned.ts';

/**
 * Signs claims that keep every rule. `extText` is the exact JSON of `claims.ect_ext`. The token is refused with
 * TOKEN_TOO_LARGE before it is signed if it would be longer than `maxTokenBytes`. In draft -00 the policy claims leave the
 * extension for the top level.
 */
export async function mintToken(
  claims: Claims,
  extText: string | undefined,
  signer: Signer,
  maxTokenBytes: number,
  until: Until,
  draft: Draft = '01',
): Promise<CompactToken> {
  const payload = Buffer.from(writePayload(claims, extText, draft), 'utf8').toString('base64url');
  const signingInput = `${encodedHeader(signer, draft)}.${payload}`;
  checkLength(signingInput.length + 1 + SIGNATURE_CHARACTERS, maxTokenBytes);
  const answer = signer.sign(Buffer.from(signingInput, 'latin1'), until);
  const raw = answer instanceof Promise ? await answer : answer;
  // A signer checks its own answers. What cannot be a signature at all does not leave, whatever a signer promises.
  if (!isLowRaw(raw)) throw badOutput();
  const { buffer, byteOffset, byteLength } = raw;
  const signature = Buffer.from(buffer, byteOffset, byteLength).toString('base64url');
  return `${signingInput}.${signature}` as CompactToken;
}

/** The same claims as an unsigned object (L1): compact JSON, or its base64url where the JSON would look signed. */
export function mintUnsigned(claims: Claims, extText: string | undefined, maxTokenBytes: number): string {
  const text = writeUnsigned(writePayload(claims, extText));
  checkLength(Buffer.byteLength(text), maxTokenBytes);
  return text;
}

function badOutput(): EctError {
  return new EctError(refuse('SIGNER_BAD_OUTPUT', 'The signer answered what is no ES256 signature with the low s.'));
}

function checkLength(bytes: number, maxTokenBytes: number): void {
  if (bytes <= maxTokenBytes) return;
  throw new EctError(refuse('TOKEN_TOO_LARGE', 'The token would be too long.', { limit_bytes: String(maxTokenBytes) }));
}

/** 64 bytes as base64url. */
const SIGNATURE_CHARACTERS = 86;

const encodedHeaders = { '00': new WeakMap<Signer, string>(), '01': new WeakMap<Signer, string>() };

/** The header is the same for every token of a signer in one draft, so it is encoded once. */
function encodedHeader(signer: Signer, draft: Draft): string {
  let encoded = encodedHeaders[draft].get(signer);
  if (encoded === undefined) {
    const header = { alg: signer.jwk.alg, typ: TYPES[draft], kid: signer.jwk.kid };
    encoded = Buffer.from(JSON.stringify(header), 'utf8').toString('base64url');
    encodedHeaders[draft].set(signer, encoded);
  }
  return encoded;
}
