// JWS Compact Serialization (RFC 7515, 7.1), in canonical form only. This file verifies nothing: everything that it returns is
// attacker-controlled until the signature has been checked.

import { isUtf8 } from 'node:buffer';
import { type JsonObject, parseStrictObject, type StrictJson } from './strict-json.ts';

/** A token in JWS Compact Serialization. */
export type CompactToken = string & { readonly brand: 'CompactToken' };

/** What signed tokens and unsigned objects have in common. It has been parsed, not verified. */
export interface Content {
  readonly payload: JsonObject;
  /** The names of payload members whose number is not written as a plain integer. */
  readonly oddNumbers: readonly string[];
  /** The octets that are signed, `header.payload` in ASCII. For an unsigned object: all octets. */
  readonly signingInput: Buffer;
}

/** The parts of a signed token. */
export interface Parts extends Content {
  readonly header: JsonObject;
  readonly signature: Buffer;
}

export type CompactParts =
  | { readonly ok: true; readonly parts: Parts }
  | { readonly ok: false; readonly fault: string };

/** Whether `text` has exactly two dots, as a signed token has. Such a text is never read as an unsigned object. */
export function looksCompact(text: string): boolean {
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  return second > first && text.indexOf('.', second + 1) < 0;
}

/** Parses the three parts of a token. Takes time linear in the length of `token`; the caller limits that length. */
export function readCompact(token: string): CompactParts {
  const [protectedHeader, payload, signature, more] = token.split('.', 4);
  if (protectedHeader === undefined || payload === undefined || signature === undefined || more !== undefined) {
    return { ok: false, fault: 'it does not have three parts' };
  }
  const headerJson = readHeader(protectedHeader);
  const payloadBytes = decodeBase64url(payload);
  const signatureBytes = decodeBase64url(signature);
  if (headerJson === undefined || payloadBytes === undefined || signatureBytes === undefined) {
    return { ok: false, fault: 'a part is not canonical base64url' };
  }
  if (!headerJson.ok) return { ok: false, fault: `the header is not strict JSON: ${headerJson.fault}` };
  const payloadJson = readObject(payloadBytes);
  if (!payloadJson.ok) return { ok: false, fault: `the payload is not strict JSON: ${payloadJson.fault}` };
  return {
    ok: true,
    parts: {
      header: headerJson.value,
      payload: payloadJson.value,
      oddNumbers: payloadJson.oddNumbers,
      signingInput: Buffer.from(token.slice(0, protectedHeader.length + 1 + payload.length), 'latin1'),
      signature: signatureBytes,
    },
  };
}

/** The last header that was parsed. Consecutive tokens often have the same header. */
let latest: { readonly text: string; readonly json: StrictJson } | undefined;

function readHeader(text: string): StrictJson | undefined {
  if (latest?.text === text) return latest.json;
  const bytes = decodeBase64url(text);
  if (bytes === undefined) return undefined;
  const json = readObject(bytes);
  latest = { text, json };
  return json;
}

/** Decodes canonical base64url (RFC 4648, 5): no padding, no white space, unused bits zero. Returns undefined for anything else. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Parses bytes that must be one JSON object in UTF-8. */
export function readObject(bytes: Buffer): StrictJson {
  return isUtf8(bytes) ? parseStrictObject(bytes.toString('utf8')) : { ok: false, fault: 'it is not UTF-8' };
}
