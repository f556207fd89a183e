import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyToken } from '../../src/token/index.ts';
import { readTrust } from '../../src/trust/index.ts';
import { json } from '../support/canned-server.ts';
import { type IssuerKey, issuerKey, rsaIssuerKey } from '../support/jwks.ts';
import { AUD, NOW, policy } from '../support/tokens.ts';
import { folder, loopback, openTrust, reasonFor, serve, setOf, tokenOf } from './trusted.ts';

describe('where keys come from', () => {
  const key = issuerKey('one');
  const iss = 'https://issuer.test';

  test('a URL, a file, a discovery document, and another authority', async () => {
    const server = await serve((response, request) => {
      const documents: Readonly<Record<string, unknown>> = {
        '/jwks': setOf(key),
        '/.well-known/openid-configuration': { issuer: iss, jwks_uri: `${server.url}/jwks`, more: 1 },
        '/.well-known/ect-authority': { issuer: iss, jwks_uri: `${server.url}/jwks`, limits: {} },
      };
      json(documents[request.url ?? ''])(response, request);
    });
    const path = join(folder, 'jwks.json');
    writeFileSync(path, JSON.stringify(setOf(key)));
    for (const source of [
      { jwks: setOf(key) },
      { jwks_file: path },
      { jwks_uri: `${server.url}/jwks`, fetch: loopback },
      { discovery: `${server.url}/.well-known/openid-configuration`, fetch: loopback },
      { authority: `${server.url}/.well-known/ect-authority`, fetch: loopback },
    ]) {
      const { ring, pass, said } = openTrust({ iss, ...source });
      await pass(0);
      expect(reasonFor(ring, tokenOf(key, iss)), JSON.stringify([source, said])).toBe('VALID');
    }
  });

  test('a bearer token of the operator goes to the server that is named, with its CA from a file', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'abc.def\n');
    const server = await serve(json(setOf(key)));
    const fetch = { ...loopback, token_file: tokenFile };
    await openTrust({ iss, jwks_uri: server.url, fetch }).pass(0);
    expect(server.requests[0]?.headers.authorization).toBe('Bearer abc.def');
    writeFileSync(tokenFile, 'two\nlines');
    const { pass, said } = openTrust({ iss, jwks_uri: server.url, fetch });
    await pass(0);
    expect(said).toEqual([`${iss} failed: the file of token_file holds no token`]);
  });

  test.each<[string, unknown, RegExp]>([
    ['of another issuer', { issuer: 'https://other.test', jwks_uri: 'http://127.0.0.1/' }, /is not iss/],
    ['without an issuer', { jwks_uri: 'http://127.0.0.1/' }, /is not iss/],
    ['without a jwks_uri', { issuer: iss }, /has no jwks_uri/],
    ['with a jwks_uri that is no URL', { issuer: iss, jwks_uri: 'keys' }, /has no jwks_uri/],
    ['that leads to metadata', { issuer: iss, jwks_uri: 'http://169.254.169.254/' }, /is rejected/],
    ['that leads to a file', { issuer: iss, jwks_uri: 'file:///etc/passwd' }, /is rejected/],
    ['that leads to another server', { issuer: iss, jwks_uri: 'http://127.0.0.1:9/' }, /of another server/],
    ['that is no JSON', '{', /not strict JSON/],
  ])('K2: a discovery document %s is rejected', async (_, document, why) => {
    const server = await serve(json(document));
    const { pass, said, ring } = openTrust({ iss, discovery: server.url, fetch: loopback });
    await pass(0);
    expect(said).toEqual([expect.stringMatching(why)]);
    expect(ring.find('one', iss)).toBeUndefined();
    expect(server.requests).toHaveLength(1);
  });
});

describe('T20: two issuers with keys of one name', () => {
  const [ours, theirs] = [issuerKey('same'), issuerKey('same')];

  test('never speak for each other, wherever their keys come from', async () => {
    const server = await serve(json(setOf(theirs)));
    const { ring, pass } = openTrust(
      { iss: 'urn:ours', jwks: setOf(ours) },
      { iss: 'urn:theirs', jwks_uri: server.url, fetch: loopback },
    );
    await pass(0);
    expect(reasonFor(ring, tokenOf(ours, 'urn:ours'))).toBe('VALID');
    expect(reasonFor(ring, tokenOf(theirs, 'urn:theirs'))).toBe('VALID');
    expect(reasonFor(ring, tokenOf(ours, 'urn:theirs'))).toBe('SIGNATURE_INVALID');
    expect(reasonFor(ring, tokenOf(theirs, 'urn:ours'))).toBe('SIGNATURE_INVALID');
    expect(reasonFor(ring, tokenOf(ours, 'urn:others'))).toBe('ISSUER_MISMATCH');
  });

  test('an issuer below another one speaks for itself alone, and the other one does not speak for it', () => {
    const { ring } = openTrust(
      { iss: 'https://a.test', subjects: 'below', jwks: setOf(ours) },
      { iss: 'https://a.test/b', subjects: 'below', jwks: setOf(theirs) },
    );
    const at = (key: IssuerKey, iss: string) => reasonFor(ring, tokenOf(key, iss));
    expect([at(ours, 'https://a.test'), at(ours, 'https://a.test/x')]).toEqual(['VALID', 'VALID']);
    expect([at(theirs, 'https://a.test/b'), at(theirs, 'https://a.test/b/c')]).toEqual(['VALID', 'VALID']);
    expect([at(ours, 'https://a.test/b'), at(ours, 'https://a.test/b/c')]).toEqual([
      'SIGNATURE_INVALID',
      'SIGNATURE_INVALID',
    ]);
    expect(at(theirs, 'https://a.test/x')).toBe('SIGNATURE_INVALID');
  });
});

test('an issuer is trusted with the algorithms that it is named for, and a key with its own', async () => {
  const key = issuerKey('one');
  const entry = { iss: 'urn:a', jwks: setOf(key) };
  const reason = (more: object) => reasonFor(openTrust({ ...entry, ...more }).ring, tokenOf(key, 'urn:a'));
  expect(reason({ algorithms: ['ES256', 'ES384'] })).toBe('VALID');
  expect(reason({ algorithms: ['ES384'] })).toBe('KEY_UNKNOWN');
  // A key for RS256 verifies callers, and no token under PS256.
  const rsa = rsaIssuerKey('rsa');
  const callers = { audience: 'ect', prefix: 'urn:people:' };
  const { ring } = openTrust({ iss: 'urn:a', jwks: setOf(rsa), use: ['tokens', 'callers'], callers });
  expect(ring.find('rsa', 'urn:a')?.algorithms).toEqual(['RS256']);
  const verdict = verifyToken(
    tokenOf(rsa, 'urn:a', { alg: 'PS256' }),
    { now: NOW, audience: AUD, purpose: 'presented' },
    { ...policy, algorithms: ['ES256', 'PS256'] },
    ring,
  );
  expect(verdict).toMatchObject({ rejection: { reason: 'KEY_MISMATCH' } });
});

describe('K6, T7: what a token can cause', () => {
  test('a kid that nobody knows: one fetch a cooldown, of the issuer that the token names and of no other', async () => {
    const key = issuerKey('one');
    const [a, b] = [await serve(json(setOf(key))), await serve(json(setOf(key)))];
    const { foreign, ring, state, pass } = openTrust(
      { iss: 'urn:a', jwks_uri: a.url, fetch: loopback },
      { iss: 'urn:b', jwks_uri: b.url, fetch: loopback },
      { iss: 'urn:c', jwks: setOf(key) },
    );
    await pass(0);
    state.nowMs += 30_000;
    for (let at = 0; at < 1_000; at++) {
      expect(ring.missed(`kid-${at}`, 'urn:a')).toBeUndefined();
      expect(ring.missed(`kid-${at}`, 'urn:c')).toBeUndefined();
      expect(ring.missed(`kid-${at}`, 'urn:nobody')).toBeUndefined();
    }
    expect(ring.missed('one', 'urn:b')).toBeUndefined();
    await foreign.settled();
    expect([a.requests.length, b.requests.length]).toEqual([2, 1]);
  });

  test('K1: no URL and no key in a header, and no iss or kid that is a URL, opens a connection', async () => {
    const key = issuerKey('one');
    const sink = await serve(json(setOf(key)));
    const issuer = await serve(json(setOf(issuerKey('other'))));
    const { foreign, ring, pass } = openTrust({ iss: 'urn:a', jwks_uri: issuer.url, fetch: loopback });
    await pass(0);
    const tokens = [
      ...['jku', 'x5u'].map((member) => tokenOf(key, 'urn:a', { [member]: `${sink.url}/keys` })),
      tokenOf(key, 'urn:a', { jwk: key.jwk }),
      tokenOf(key, 'urn:a', { kid: `${sink.url}/keys` }),
      tokenOf(key, sink.url),
      tokenOf(key, `${sink.url}/.well-known/openid-configuration`),
    ];
    for (const token of tokens) {
      expect(['HEADER_FORBIDDEN', 'KEY_UNKNOWN']).toContain(reasonFor(ring, token));
    }
    for (const iss of [sink.url, 'urn:a']) ring.missed(`${sink.url}/keys`, iss);
    foreign.callerIssuer(sink.url, sink.url);
    await foreign.settled();
    expect(sink.connections()).toBe(0);
  });

  test('K7: without any key of its issuer nothing is said about a token, and never that it is good', async () => {
    const key = issuerKey('one');
    const server = await serve((response) => void response.writeHead(500).end());
    const { ring, pass, said, state } = openTrust({ iss: 'urn:a', jwks_uri: server.url, fetch: loopback });
    await pass(0);
    const unavailable = (seconds: string) => ({
      reason: 'ISSUER_KEYS_UNAVAILABLE',
      metadata: { retry_after_seconds: seconds },
    });
    expect(reasonFor(ring, tokenOf(key, 'urn:a'))).toBe('KEY_UNKNOWN');
    expect(ring.missed('one', 'urn:a')).toMatchObject(unavailable('30'));
    server.answer = json(setOf(key));
    await pass(30_000);
    expect(ring.missed('one', 'urn:a')).toBeUndefined();
    expect(reasonFor(ring, tokenOf(key, 'urn:a'))).toBe('VALID');
    server.answer = (response) => void response.destroy();
    await pass(300_000);
    expect(reasonFor(ring, tokenOf(key, 'urn:a'))).toBe('VALID');
    state.nowMs += 86_400_000;
    await pass(0);
    expect(reasonFor(ring, tokenOf(key, 'urn:a'))).toBe('KEY_UNKNOWN');
    expect(ring.missed('one', 'urn:a')).toMatchObject(unavailable('30'));
    expect(said.slice(0, 3)).toEqual([
      expect.stringContaining('status 500'),
      'urn:a true',
      expect.stringContaining('urn:a failed'),
    ]);
    expect(said).toContain('urn:a expired');
  });
});

describe('a file that changes', () => {
  test('keeps the keys of sources that stay, and forgets those that go', async () => {
    const [a, b] = [issuerKey('a'), issuerKey('b')];
    const [serverA, serverB] = [await serve(json(setOf(a))), await serve(json(setOf(b)))];
    const entryA = { iss: 'urn:a', jwks_uri: serverA.url, fetch: loopback };
    const entryB = { iss: 'urn:b', jwks_uri: serverB.url, fetch: loopback };
    const { foreign, ring, pass, said } = openTrust(entryA, entryB);
    await pass(0);
    const next = (...issuers: readonly object[]) => foreign.replace(readTrust(JSON.stringify({ issuers })).issuers);
    next(entryA);
    expect(reasonFor(ring, tokenOf(a, 'urn:a'))).toBe('VALID');
    expect(reasonFor(ring, tokenOf(b, 'urn:b'))).toBe('KEY_UNKNOWN');
    expect(said).toContain('urn:b removed');
    next({ ...entryA, subjects: 'below' }, { ...entryB, iss: 'urn:c' });
    expect(reasonFor(ring, tokenOf(a, 'urn:a:x'))).toBe('VALID');
    await pass(0);
    expect(reasonFor(ring, tokenOf(b, 'urn:c'))).toBe('VALID');
    expect([serverA.requests.length, serverB.requests.length]).toEqual([1, 2]);
  });

  test('keeps the keys of a place that is asked under other rules, until they are too old by the new ones', async () => {
    const key = issuerKey('one');
    const server = await serve(json(setOf(key)));
    const entry = { iss: 'urn:a', jwks_uri: server.url, fetch: loopback };
    const { foreign, ring, state, pass } = openTrust(entry);
    await pass(0);
    server.answer = (response) => void response.destroy();
    const next = (fetch: object) =>
      foreign.replace(readTrust(JSON.stringify({ issuers: [{ ...entry, fetch: { ...loopback, ...fetch } }] })).issuers);
    next({ refresh_seconds: 60 });
    expect(reasonFor(ring, tokenOf(key, 'urn:a'))).toBe('VALID');
    state.nowMs += 120_000;
    next({ refresh_seconds: 60, max_stale_seconds: 60 });
    expect(reasonFor(ring, tokenOf(key, 'urn:a'))).toBe('KEY_UNKNOWN');
  });

  test('a key file is read again by itself', async () => {
    const [a, b] = [issuerKey('a'), issuerKey('b')];
    const path = join(folder, 'rotated.json');
    writeFileSync(path, JSON.stringify(setOf(a)));
    const { ring, pass } = openTrust({ iss: 'spiffe://example.org', subjects: 'below', jwks_file: path });
    await pass(0);
    const iss = 'spiffe://example.org/w';
    expect(reasonFor(ring, tokenOf(a, iss))).toBe('VALID');
    writeFileSync(path, 'half');
    await pass(5_000);
    expect(reasonFor(ring, tokenOf(a, iss))).toBe('VALID');
    writeFileSync(path, JSON.stringify({ keys: [{ ...b.jwk, use: 'jwt-svid' }] }));
    await pass(5_000);
    expect([reasonFor(ring, tokenOf(a, iss)), reasonFor(ring, tokenOf(b, iss))]).toEqual(['KEY_UNKNOWN', 'VALID']);
  });
});

test('callers are vouched for by the issuer of their JWT, or by the trust domain of their SPIFFE ID', () => {
  const jwks = setOf(issuerKey('one'));
  const use = ['callers'];
  const { foreign } = openTrust(
    { iss: 'https://oidc.test', jwks, use, callers: { audience: 'ect', prefix: 'urn:people:' } },
    { iss: 'spiffe://example.org', jwks, use, callers: { audience: 'ect' } },
    { iss: 'urn:tokens', jwks },
  );
  const issuerOf = (iss: unknown, sub: unknown) => foreign.callerIssuer(iss, sub)?.iss;
  expect(issuerOf('https://oidc.test', 'x')).toBe('https://oidc.test');
  expect(issuerOf('https://oidc.test/', 'x')).toBeUndefined();
  expect(issuerOf(undefined, 'spiffe://example.org/w')).toBe('spiffe://example.org');
  expect(issuerOf('https://other.test', 'spiffe://example.org/w')).toBe('spiffe://example.org');
  expect(issuerOf('spiffe://example.org', 'x')).toBeUndefined();
  expect(issuerOf('spiffe://example.org', 'spiffe://other.org/w')).toBeUndefined();
  expect(issuerOf(undefined, 'spiffe://example.org')).toBeUndefined();
  expect(issuerOf(7, ['spiffe://example.org/w'])).toBeUndefined();
  expect(issuerOf('urn:tokens', 'x')).toBeUndefined();
  expect(
    ['urn:people:a', 'spiffe://example.org/w', 'spiffe://example.orgx/w', 'urn:people'].map((iss) =>
      foreign.mayName(iss),
    ),
  ).toEqual([true, true, false, false]);
});
