import { compactVerify, importJWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { openCertificate } from '../../src/key-manager/certificate.ts';
import { ISSUER, makeCertificate, makeSigner, START, signJws } from './keys.ts';

const root = await makeSigner();
const other = await makeSigner();
const delegated = await makeSigner();
const rootKey = (kid: string) => (kid === root.jwk.kid ? root.publicKey : undefined);

const header = { alg: 'ES256', typ: 'ect-key+jwt', kid: root.jwk.kid };
const payload = {
  iss: ISSUER,
  jwk: delegated.jwk,
  kid: delegated.jwk.kid,
  iat: START,
  nbf: START,
  exp: START + 3600,
};

test('a certificate says which key may sign for whom, from when until when', async () => {
  const text = await makeCertificate(root, delegated);
  const facts = { iss: ISSUER, rootKid: root.jwk.kid, iat: START, nbf: START, exp: START + 3600 };
  expect(openCertificate(text, rootKey)).toMatchObject({ ...facts, jwk: delegated.jwk });
});

test('a third party checks a certificate with the root key only', async () => {
  const text = await makeCertificate(root, delegated);
  const { payload: signed, protectedHeader } = await compactVerify(text, await importJWK({ ...root.jwk }));
  expect(protectedHeader).toEqual(header);
  expect(JSON.parse(new TextDecoder().decode(signed))).toEqual(payload);
});

describe('a certificate is not trusted', () => {
  test.each([
    ['that no root key signed', signJws(header, payload, other)],
    ['of a root key that nobody knows', signJws({ ...header, kid: other.jwk.kid }, payload, other)],
    ['of another typ', signJws({ ...header, typ: 'exec+jwt' }, payload, root)],
    ['of another alg', signJws({ ...header, alg: 'none' }, payload, root)],
    ['with a header member that asks for more', signJws({ ...header, crit: ['b64'], b64: false }, payload, root)],
    ['about another kid than its key has', signJws(header, { ...payload, kid: other.jwk.kid }, root)],
    ['whose key has another kid', signJws(header, { ...payload, jwk: { ...delegated.jwk, kid: other.jwk.kid } }, root)],
    ['about another key than its kid names', signJws(header, { ...payload, jwk: other.jwk }, root)],
    ['about a point off the curve', signJws(header, { ...payload, jwk: { ...delegated.jwk, x: other.jwk.x } }, root)],
    ['without a key', signJws(header, { ...payload, jwk: null }, root)],
    ['without an issuer', signJws(header, { ...payload, iss: 1 }, root)],
    ['that ends before it begins', signJws(header, { ...payload, exp: START }, root)],
    ['without an end', signJws(header, { ...payload, exp: undefined }, root)],
    ['with a fraction of a second', signJws(header, { ...payload, exp: START + 0.5 }, root)],
    ['that is too long', signJws(header, { ...payload, more: 'x'.repeat(8192) }, root)],
    ['that is no JWS', 'certificate'],
  ])('%s', (_name, text) => {
    expect(openCertificate(text, rootKey)).toBeUndefined();
  });
});
