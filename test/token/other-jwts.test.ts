// Tokens that are good, under a key that is trusted, but are not Execution Context Tokens.

import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { append } from '../../src/authority/index.ts';
import type { Jti } from '../../src/token/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { mintToken } from '../support/mint.ts';
import { AUD, header, ISS, JTI, KID, NOW, payload, signingKey, signParts } from '../support/tokens.ts';
import { reasonFor } from './judge.ts';

const times = { iat: NOW, exp: NOW + 600 };
const confirmation = { jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } };
/** Each with every claim of an Execution Context Token as well, so that its type alone keeps it out. */
const others: readonly (readonly [name: string, typ: string | undefined, claims: object])[] = [
  [
    'an access token (RFC 9068)',
    'at+jwt',
    { iss: ISS, aud: AUD, sub: 'user', client_id: 'c', scope: 'pay', jti: JTI, ...times },
  ],
  [
    'an access token with the long name of its type',
    'application/at+jwt',
    { iss: ISS, aud: AUD, sub: 'user', ...times },
  ],
  ['an ID token', 'JWT', { iss: ISS, aud: AUD, sub: 'user', nonce: 'n', ...times }],
  ['an ID token without a type', undefined, { iss: ISS, aud: AUD, sub: 'user', ...times }],
  ['a workload identity token (WIT)', 'wit+jwt', { sub: ISS, cnf: confirmation, jti: JTI, ...times }],
  ['a workload proof token (WPT)', 'wpt+jwt', { aud: AUD, wth: 'x', ath: 'y', jti: JTI, ...times }],
  ['a DPoP proof', 'dpop+jwt', { htm: 'POST', htu: 'https://example.com', jti: JTI, iat: NOW }],
  ['a security event', 'secevent+jwt', { iss: ISS, aud: AUD, jti: JTI, iat: NOW, events: {} }],
  ['a logout token', 'logout+jwt', { iss: ISS, aud: AUD, jti: JTI, events: {}, ...times }],
];

describe('T21: another kind of JWT under the same key is rejected by its type', () => {
  test.each(others)('%s', async (_, typ, claims) => {
    const bare = new SignJWT({ ...claims }).setProtectedHeader({
      alg: 'ES256',
      kid: KID,
      ...(typ === undefined ? {} : { typ }),
    });
    expect(reasonFor(await bare.sign(signingKey))).toBe('TYP_INVALID');
    const complete = signParts({ ...header, typ }, { ...payload, ...claims, iss: ISS, aud: AUD, ...times });
    expect(reasonFor(complete)).toBe('TYP_INVALID');
    // The same claims under the right type are an Execution Context Token: nothing but the type kept it out.
    expect(reasonFor(signParts(header, { ...payload, ...claims, iss: ISS, aud: AUD, ...times }))).toBe('VALID');
  });
});

describe('T21: what the service itself signs or answers is no token', () => {
  test('a checkpoint, a receipt and a leaf', async () => {
    const { context, signer } = await makeAuthority();
    const until = { signal: new AbortController().signal };
    const now = context.now();
    const claims = { ...payload, iss: ISSUER, iat: now, exp: now + 600, jti: JTI as Jti, pred: [] as Jti[] };
    const complete = { ...claims, wid: '', inp_hash: '', out_hash: '', ect_ext: undefined, policy: undefined };
    const token = await mintToken(complete, undefined, signer, 16_384, until);
    const { receipt, record } = await append(context, { kind: 'anonymous' }, token, until.signal);
    const leaf = Buffer.from(record.leaf).toString('utf8');
    const circumstances = { policy: { minimumLevel: 'L1' } } as const;
    for (const text of [receipt.checkpoint, receipt.tlogProof, Buffer.from(receipt.tlogProof).toString('base64url')]) {
      expect(reasonFor(text)).toBe('TOKEN_MALFORMED');
      expect(reasonFor(text, circumstances)).toBe('TOKEN_MALFORMED');
    }
    // A leaf is JSON with ids of a task, and still no unsigned token.
    for (const text of [leaf, Buffer.from(leaf).toString('base64url')]) {
      expect(reasonFor(text)).toBe('LEVEL_TOO_LOW');
      expect(reasonFor(text, circumstances)).toBe('CLAIM_MISSING');
    }
  });
});
