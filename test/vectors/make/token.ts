// Tokens in which exactly one thing is unusual, signed well by a key that is trusted: a case with a bad signature would
// prove nothing about anything else.

import { createHash } from 'node:crypto';
import { agentA, ISS, type TestKey } from './keys.ts';

export const NOW = 1_700_000_000;
export const JTI = '550e8400-e29b-41d4-a716-446655440000';
export const OTHER_JTI = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
export const THIRD_JTI = '7d444840-9dc0-41d1-b245-5ffdce74fad2';
export const WID = 'a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c4d';
export const AUD = 'spiffe://example.com/agent/b';
export const EMPTY_HASH = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU';
export const TEST_HASH = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';

export const header = { alg: 'ES256', typ: 'exec+jwt', kid: agentA.kid };

export const payload = {
  iss: ISS,
  aud: [AUD],
  iat: NOW,
  exp: NOW + 600,
  jti: JTI,
  exec_act: 'review_spec',
  pred: [] as readonly string[],
};

export const payloadText = JSON.stringify(payload);

/** Base64url of a text, of bytes as they are, or of a value as JSON. */
export function encode(part: unknown): string {
  if (part instanceof Uint8Array) return Buffer.from(part).toString('base64url');
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** Signs two parts. Texts and bytes go in as they are, anything else as JSON. */
export function signParts(first: unknown, second: unknown, key: TestKey = agentA): string {
  const input = `${encode(first)}.${encode(second)}`;
  return `${input}.${key.sign(Buffer.from(input)).toString('base64url')}`;
}

/** A good token but for these claims and header members; `undefined` leaves one out. */
export function token(claims: object = {}, members: object = {}, key: TestKey = agentA): string {
  return signParts({ ...header, alg: key.alg, kid: key.kid, ...members }, { ...payload, ...claims }, key);
}

/** A token whose payload is this text, whatever it is. */
export function withPayload(text: string | Uint8Array): string {
  return signParts(header, text);
}

/** A good payload but that one claim has this spelling. */
export function spelled(claim: string, spelling: string): string {
  return withPayload(JSON.stringify({ ...payload, [claim]: '\u0001' }).replace('"\\u0001"', () => spelling));
}

/** The three parts of a good token. */
export const goodToken = token();
export const [first = '', second = '', third = ''] = goodToken.split('.');

/** A UUID that follows from a text. */
export function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Objects inside each other: 1 is an empty object. */
export function nest(depth: number): string {
  return `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
}

/** A token that is so long: an unknown claim is filled, and a header member where base64 has no fitting length. */
export function ofLength(claims: object, length: number): string {
  for (const pad of ['', 'x', 'xx']) {
    const size = (fill: number) => signParts({ ...header, pad }, { ...claims, fill: 'x'.repeat(fill) });
    const estimate = Math.floor((length - size(0).length) * 0.75);
    for (let fill = estimate - 4; fill <= estimate + 4; fill++) {
      const token = size(fill);
      if (token.length === length) return token;
    }
  }
  throw new Error(`no token has ${length} characters`);
}
