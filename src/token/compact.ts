// JWS Compact Serialization (RFC 7515, 7.1) in its one canonical spelling. Nothing here has been verified yet:
// everything that comes out is attacker-controlled until the signature has been checked.

import { isUtf8 } from 'node:buffer';
import { type JsonObject, parseStrictObject, type StrictJson } from './strict-json.ts';

/** A token in JWS Compact Serialization. */
export type CompactToken = string & { readonly brand: 'CompactToken' };

/** What every token has, signed or not: read, but not verified. */
export interface Content {
  readonly payload: JsonObject;
  /** Members of the payload whose number is not spelled as a plain integer. */
  readonly oddNumbers: readonly string[];
  /** The octets that are signed, `header.payload` in ASCII; of an unsigned object every octet. */
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

/** Whether a text has the outer form of a signed token: exactly two dots. What has it is never read as anything else. */
export function looksCompact(text: string): boolean {
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  return second > first && text.indexOf('.', second + 1) < 0;
}

/** Reads the three parts. Linear in the length of `token`, which the caller has bounded. */
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

/** The header that was read last: every token of one signer has the same. */
let latest: { readonly text: string; readonly json: StrictJson } | undefined;

function readHeader(text: string): StrictJson | undefined {
  if (latest?.text === text) return latest.json;
  const bytes = decodeBase64url(text);
  if (bytes === undefined) return undefined;
  const json = readObject(bytes);
  latest = { text, json };
  return json;
}

/** Decodes base64url in its one spelling: RFC 4648, 5, without padding or spaces and with unused bits zero. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Reads bytes that must be one JSON object in UTF-8. */
export function readObject(bytes: Buffer): StrictJson {
  return isUtf8(bytes) ? parseStrictObject(bytes.toString('utf8')) : { ok: false, fault: 'it is not UTF-8' };
}
