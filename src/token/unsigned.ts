// Unsigned objects (level L1): the claims as JSON, or as base64url of JSON. They are as authentic as the channel that
// they came by. Only a text that does not look like a signed token is ever read here.

import { isUtf8 } from 'node:buffer';
import { type Content, decodeBase64url, looksCompact, readObject } from './compact.ts';
import { parseStrictObject, type StrictJson } from './strict-json.ts';

const NEITHER = 'it has neither three parts, nor is it a JSON object or the base64url of one';

/** Reads an unsigned object, or answers what is wrong with it. Linear in `text`, which the caller has bounded. */
export function readUnsigned(text: string): Content | string {
  const json = /^[\t\n\r ]*\{/.test(text) ? parseStrictObject(text) : readEncoded(text);
  if (json === undefined) return NEITHER;
  if (!json.ok) return json.fault;
  return { payload: json.value, oddNumbers: json.oddNumbers, signingInput: Buffer.from(text, 'utf8') };
}

function readEncoded(text: string): StrictJson | undefined {
  const bytes = decodeBase64url(text);
  // Many texts of letters and digits are valid base64url. If the decoded bytes are not text, base64url was not intended.
  return bytes === undefined || !isUtf8(bytes) ? undefined : readObject(bytes);
}

/**
 * The token of a payload that stays unsigned: the JSON as it is. Where that has exactly two dots it would be taken for a
 * signed token, and rejected, so it leaves as base64url.
 */
export function writeUnsigned(json: string): string {
  return looksCompact(json) ? Buffer.from(json, 'utf8').toString('base64url') : json;
}
