// Unsigned objects (level L1): the claims as JSON, or as base64url of JSON. They are as authentic as the channel that transported them. A
// text with the form of a signed token is never read here.

import { isUtf8 } from 'node:buffer';
import { type Content, decodeBase64url, looksCompact, readObject } from './compact.ts';
import { parseStrictObject, type StrictJson } from './strict-json.ts';

const NEITHER = 'it has neither three parts, nor is it a JSON object or the base64url of one';

/**
 * Parses an unsigned object. Returns a message if it is invalid. Takes time linear in the length of `text`; the caller limits that
 * length.
 */
export function readUnsigned(text: string): Content | string {
  const json = /^[\t\n\r ]*\{/.test(text) ? parseStrictObject(text) : readEncoded(text);
  if (json === undefined) return NEITHER;
  if (!json.ok) return json.fault;
  return { payload: json.value, oddNumbers: json.oddNumbers, signingInput: Buffer.from(text, 'utf8') };
}

function readEncoded(text: string): StrictJson | undefined {
  const bytes = decodeBase64url(text);
  // Many words are valid base64url. If the decoded bytes are not UTF-8, the text is not treated as base64url.
  return bytes === undefined || !isUtf8(bytes) ? undefined : readObject(bytes);
}

/**
 * Returns the token of a payload without a signature: the JSON itself, or its base64url if the JSON has exactly two dots and would be
 * read as a signed token.
 */
export function writeUnsigned(json: string): string {
  return looksCompact(json) ? Buffer.from(json, 'utf8').toString('base64url') : json;
}
