// The maximum sizes of texts in a response, in bytes. A text is counted as JSON writes it, which is never shorter than the text itself.

import { MAX_EXT_TEXT_CHARACTERS } from '../calls/message-limits.ts';
import type { IssueRequest } from '../gen/ect/v1/authority_pb.ts';
import { hasMoreCharacters } from '../keys/index.ts';
import { MAX_EXT_BYTES } from '../token/index.ts';

/** The maximum size in a Struct for each colon, comma and bracket of JSON text. */
const STRUCT_BYTES = 12;
/** The maximum number of these characters in an extension and between the other claims. */
const MAX_SIGNS = MAX_EXT_BYTES + 256;

/**
 * Text that JSON writes without escapes, in one byte for each character. Nearly all texts in requests are of this kind. It has no control
 * characters.
 */
const PLAIN = /^[ !#-[\]-~]*$/;
const ESCAPED = /["\\\p{Cc}\p{Cs}]/u;
const CONTROL = /[\p{Cc}\p{Cs}]/u;

export function textBytes(text: string): number {
  if (PLAIN.test(text)) return text.length;
  return ESCAPED.test(text) ? Buffer.byteLength(JSON.stringify(text)) : Buffer.byteLength(text);
}

export function listBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += 3 + textBytes(text);
  return bytes;
}

export function hasControl(text: string): boolean {
  return !PLAIN.test(text) && CONTROL.test(text);
}

export function base64Bytes(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** Returns the JSON text of an extension; undefined if it will be rejected later and takes no space. */
export function extensionText({ case: kind, value }: IssueRequest['extension']): string | undefined {
  if (kind === undefined) return '';
  try {
    const text = kind === 'ectExt' ? JSON.stringify(value) : value;
    if (text.length <= MAX_EXT_BYTES) return text;
    if (hasMoreCharacters(text, MAX_EXT_TEXT_CHARACTERS)) return undefined;
    // White space and escapes do not count towards the limit.
    return Buffer.byteLength(JSON.stringify(JSON.parse(text))) <= MAX_EXT_BYTES ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns the size of the payload of a token as a message. Only an extension becomes a Struct. An escape may hide its name, so any escape
 * counts as an extension.
 */
export function claimsBytes(payload: Buffer): number {
  return payload.includes('ext"') || payload.includes('\\') ? structBytes(payload) : payload.length;
}

/** Returns the size of JSON text as a Struct. */
export function structBytes(text: Buffer): number {
  let signs = 0;
  for (const sign of text)
    if (sign === COLON || sign === COMMA || sign === OPEN_BRACKET || sign === OPEN_BRACE) signs++;
  return text.length + STRUCT_BYTES * Math.min(signs, MAX_SIGNS);
}

const [COLON, COMMA, OPEN_BRACKET, OPEN_BRACE] = [0x3a, 0x2c, 0x5b, 0x7b];

/** Returns the payload of a token, signed or unsigned. An unsigned token is JSON, possibly after white space, or its base64url. */
export function payloadOf(token: string): Buffer {
  if (UNSIGNED.test(token)) return Buffer.from(token);
  // If the text has no dot, it is the payload.
  const start = token.indexOf('.') + 1;
  const end = start === 0 ? -1 : token.indexOf('.', start);
  return Buffer.from(token.slice(start, end < 0 ? undefined : end), 'base64url');
}

const UNSIGNED = /^[\t\n\r ]*\{/;
