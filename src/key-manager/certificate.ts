// The certificate of a delegated key: a compact JWS in which a root key states that another key may sign for an issuer in a
// period. Its separate `typ` prevents the confusion of certificates and tokens.

import type { KeyObject } from 'node:crypto';
import { ALGORITHMS, type CallDeadline, type PublicJwk, readPublicJwk, type Signer } from '../keys/index.ts';
import { type JsonObject, readCompact } from '../token/index.ts';

const CERTIFICATE_TYPE = 'ect-key+jwt';

/** What a certificate says. Times are seconds since the epoch. */
export interface Certificate {
  readonly iss: string;
  /** The delegated key. */
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
  /** The root key that signed. */
  readonly rootKid: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
}

/** Has the root key sign that `jwk` may sign for `iss` from `nbf` until `exp`. */
export async function certify(
  root: Signer,
  { jwk, iss, nbf, exp }: Pick<Certificate, 'jwk' | 'iss' | 'nbf' | 'exp'>,
  deadline: CallDeadline,
): Promise<string> {
  const header = { alg: root.jwk.alg, typ: CERTIFICATE_TYPE, kid: root.jwk.kid };
  const input = [header, { iss, jwk, kid: jwk.kid, iat: nbf, nbf, exp }]
    .map((part) => Buffer.from(JSON.stringify(part), 'utf8').toString('base64url'))
    .join('.');
  const signature = await root.sign(Buffer.from(input, 'latin1'), deadline);
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

const MAX_CERTIFICATE_CHARACTERS = 8192;

/**
 * Verifies a certificate, which is attacker-controlled: anyone with write access to the ledger's storage may have forged it.
 * `rootKey` finds a root key by its `kid`. Undefined if a check fails. The times are not checked, because they depend on the caller's
 * time.
 */
export function openCertificate(
  text: string,
  rootKey: (kid: string) => KeyObject | undefined,
): Certificate | undefined {
  if (text.length > MAX_CERTIFICATE_CHARACTERS) return undefined;
  const read = readCompact(text);
  if (!read.ok) return undefined;
  const { header, payload, oddNumbers, signingInput, signature } = read.parts;
  const { alg, typ, kid: rootKid, ...others } = header;
  if (alg !== 'ES256' || typ !== CERTIFICATE_TYPE || typeof rootKid !== 'string') return undefined;
  if (Object.keys(others).length > 0) return undefined;
  const root = rootKey(rootKid);
  if (root === undefined || !ALGORITHMS.get('ES256')!.verify(root, signingInput, signature)) return undefined;
  // From here on the payload is authenticated by the root key.
  const { iss, jwk, kid, iat, nbf, exp } = payload;
  const key = isObject(jwk) ? readPublicJwk(jwk) : undefined;
  if (key === undefined || key.jwk.kid !== kid || typeof iss !== 'string' || oddNumbers.length > 0) return undefined;
  if (!isTime(iat) || !isTime(nbf) || !isTime(exp) || exp <= nbf) return undefined;
  return { iss, ...key, rootKid, iat, nbf, exp };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
