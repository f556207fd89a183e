// A token of a running service, judged by plain jose with nothing but the published key set.

import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import type { Issued } from './answers.ts';
import { dial } from './grpc-js-client.ts';

const AUDIENCE = 'urn:example:reviewer';
const EXPECTED = { algorithms: ['ES256'], typ: 'exec+jwt', audience: AUDIENCE, issuer: 'urn:ect:dev' };

let service: ServiceProcess;
let issued: Issued;

beforeAll(async () => {
  service = await startService();
  using client = dial(service.address);
  issued = await client.call<Issued>('ect.v1.AuthorityService/Issue', { exec_act: 'review_spec', aud: [AUDIENCE] });
});

afterAll(() => service?.[Symbol.asyncDispose]());

test('verifies with the key set that jose fetches itself', async () => {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', service.url));
  const { payload, protectedHeader } = await jwtVerify(issued.token, keys, EXPECTED);
  expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'exec+jwt', kid: issued.kid });
  expect(payload).toMatchObject({ jti: issued.claims.jti, exec_act: 'review_spec', pred: [] });
});

test('verifies with the key set of GetKeySet, which is the same byte for byte', async () => {
  using client = dial(service.address);
  const { jwks_json } = await client.call<{ jwks_json: string }>('ect.v1.KeyService/GetKeySet', {});
  expect(await (await fetch(`${service.url}/.well-known/jwks.json`)).text()).toBe(jwks_json);
  const keys = createLocalJWKSet(JSON.parse(jwks_json) as JSONWebKeySet);
  expect((await jwtVerify(issued.token, keys, EXPECTED)).payload.jti).toBe(issued.claims.jti);
});

test('does not verify when a bit of it is another, or under the keys of another service', async () => {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', service.url));
  const [header, payload, signature = ''] = issued.token.split('.');
  const forged = [header, payload, (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)].join('.');
  await expect(jwtVerify(forged, keys, EXPECTED)).rejects.toMatchObject({
    code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  });
  await using other = await startService();
  const otherKeys = createRemoteJWKSet(new URL('/.well-known/jwks.json', other.url));
  await expect(jwtVerify(issued.token, otherKeys, EXPECTED)).rejects.toMatchObject({
    code: 'ERR_JWKS_NO_MATCHING_KEY',
  });
});
