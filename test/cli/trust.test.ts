// `ect trust check`: what a service would trust, with the trust file of the environment, with issuers on loopback.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CannedServer, json, startCannedServer } from '../support/canned-server.ts';
import { issuerKey } from '../support/jwks.ts';
import { JTI } from '../support/tokens.ts';
import { ect } from './run.ts';

const AUDIENCE = 'urn:example:ect';
const folder = mkdtempSync(join(tmpdir(), 'ect-trust-'));
const key = issuerKey('one');
const now = () => Math.floor(Date.now() / 1000);
let issuer: CannedServer;
let settings: Readonly<Record<string, string>>;

beforeAll(async () => {
  issuer = await startCannedServer((response, request) => {
    if (request.url === '/down') return void response.writeHead(500).end();
    const discovery = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` };
    json(request.url === '/jwks' ? { keys: [key.jwk, { ...issuerKey('two').jwk, use: 'enc' }] } : discovery)(
      response,
      request,
    );
  });
  const trust = join(folder, 'trust.json');
  const fetch = { network: 'loopback' };
  const callers = { audience: AUDIENCE, prefix: 'urn:people:' };
  const issuers = [
    { iss: issuer.url, discovery: `${issuer.url}/discovery`, fetch, use: ['tokens', 'callers'], callers },
    { iss: 'urn:down', jwks_uri: `${issuer.url}/down`, fetch },
  ];
  writeFileSync(trust, JSON.stringify({ issuers }));
  settings = { ECT_TRUST_FILE: trust, ECT_CALLER_JWTS: 'yes' };
});
afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const check = (token: string, ...options: readonly string[]) =>
  ect(['trust', 'check', token, ...options], '', settings);
const tokenOf = (claims: object = {}) =>
  key.jws(
    { iss: issuer.url, aud: [AUDIENCE], iat: now(), exp: now() + 300, jti: JTI, exec_act: 'a', pred: [], ...claims },
    { typ: 'exec+jwt' },
  );

test('an accepted token: its name, issuer, source and keys', async () => {
  const { code, out } = await check(tokenOf(), '--audience', AUDIENCE);
  expect(code).toBe(0);
  expect(out).toContain(`the token would be trusted, as ${issuer.url}`);
  expect(out).toMatch(new RegExp(`source +discovery ${issuer.url}/discovery`));
  expect(out).toMatch(/keys +one \(ES256\)/);
  expect(out).toMatch(/fault +keys\[1\]: use must be sig/);
});

test('a token that is not: every rule that does not hold', async () => {
  const { code, out } = await check(tokenOf({ exp: now() - 1 }), '--audience', 'urn:other');
  expect(code).toBe(1);
  expect(out).toContain('the token would not be trusted');
  expect(out).toContain('AUDIENCE_MISMATCH');
  expect(out).toContain('TOKEN_EXPIRED');
});

test('a token of no configured issuer, and one of an issuer without keys', async () => {
  expect((await check(tokenOf({ iss: 'urn:nobody' }))).out).toContain(
    'no issuer in the trust file is responsible for it',
  );
  const { code, out } = await check(tokenOf({ iss: 'urn:down' }));
  expect(code).toBe(1);
  expect(out).toMatch(/fault .*status 500/);
});

test('the JWT of a caller: what the caller would be called', async () => {
  const caller = { iss: issuer.url, sub: 'ada', aud: AUDIENCE, exp: now() + 300 };
  const { code, out } = await check(key.jws(caller), '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ trusted: true, kind: 'caller', name: 'urn:people:ada' });
  const rejected = await check(key.jws({ ...caller, aud: 'urn:other' }), '--json');
  expect(rejected.code).toBe(1);
  expect(JSON.parse(rejected.out)).toMatchObject({ trusted: false, rejections: [{ reason: 'CALLER_UNTRUSTED' }] });
});

test('an identity token: what the caller would be called, once it proves that it holds the key', async () => {
  const cnf = { jwk: issuerKey('w', { alg: 'ES256' }).jwk };
  const identity = (claims: object) =>
    key.jws({ iss: issuer.url, sub: 'ada', exp: now() + 300, ...claims }, { typ: 'wit+jwt' });
  const { out } = await check(identity({ cnf }), '--json');
  expect(JSON.parse(out)).toMatchObject({ trusted: true, kind: 'caller', name: 'urn:people:ada' });
  expect(JSON.parse((await check(identity({}), '--json')).out)).toMatchObject({ trusted: false });
});

test('text of a token is safe for a terminal', async () => {
  const { out } = await check(tokenOf({ iss: 'urn:\u001b[2J' }));
  expect(out).not.toContain('\u001b[2J');
});

test.each([
  [{}, 'ECT_TRUST_FILE is not set'],
  [{ ECT_TRUST_FILE: '/none/trust.json' }, '/none/trust.json'],
  [{ ECT_CALLER_JWTS: 'yes' }, 'ECT_CALLER_JWTS=yes needs ECT_TRUST_FILE'],
])('under %j it is wrong usage', async (env, problem) => {
  const { code, err } = await ect(['trust', 'check', tokenOf()], '', env);
  expect(code).toBe(2);
  expect(err).toContain(problem);
});

test.each(['', 'x'.repeat(16_385)])('so is what is no token', async (text) => {
  expect((await check(text)).code).toBe(2);
});
