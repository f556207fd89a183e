// Keys of foreign issuers, with which tests publish key sets and sign.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { encode } from './tokens.ts';

export interface IssuerKey {
  readonly jwk: Readonly<Record<string, unknown>> & { readonly kid: string };
  /** Returns a compact JWS of any two parts. */
  jws(payload: object, header?: object): string;
}

/** Makes a key on P-256, published under `kid`. */
export function issuerKey(kid: string, members: object = {}): IssuerKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return keyOf(kid, publicKey, members, 'ES256', (input) =>
    sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  );
}

/** Makes an RSA key for RS256, as most issuers of OpenID Connect have. */
export function rsaIssuerKey(kid: string, members: object = { alg: 'RS256' }): IssuerKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return keyOf(kid, publicKey, members, 'RS256', (input) => sign('sha256', input, privateKey));
}

function keyOf(
  kid: string,
  publicKey: KeyObject,
  members: object,
  alg: string,
  signInput: (input: Buffer) => Buffer,
): IssuerKey {
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, ...members },
    jws(payload, header = {}) {
      const input = `${encode({ alg, kid, ...header })}.${encode(payload)}`;
      return `${input}.${signInput(Buffer.from(input)).toString('base64url')}`;
    },
  };
}
