import { describe, expect, test } from 'vitest';
import { readTrust, type TrustSurroundings } from '../../src/trust/index.ts';
import { issuerKey } from '../support/jwks.ts';

const jwks = { keys: [issuerKey('one').jwk] };
const uri = 'https://issuer.test/jwks';

function problemsOf(issuers: readonly unknown[], around: Partial<TrustSurroundings> = {}): readonly string[] {
  return readTrust(JSON.stringify({ issuers }), around).problems;
}

/** Of one issuer, whose name every problem leaves out. */
function problemsIn(members: object, around?: Partial<TrustSurroundings>): readonly string[] {
  return problemsOf([{ iss: 'urn:a', ...members }], around).map((problem) => problem.replace('issuers[0]', ''));
}

describe('the source of an issuer', () => {
  test.each([
    [{ jwks }],
    [{ jwks_uri: uri }],
    [{ jwks_uri: uri, fetch: {} }],
    [{ jwks_uri: uri, fetch: { refresh_seconds: 1, cooldown_seconds: 1, max_stale_seconds: 60 } }],
    [{ jwks_uri: 'https://10.0.0.1/', fetch: { network: 'private', ca_file: '/ca.pem', token_file: '/token' } }],
    [{ jwks_uri: 'http://127.0.0.1:8081/', fetch: { network: 'loopback' } }],
    [{ discovery: 'https://issuer.test/.well-known/openid-configuration' }],
    [{ authority: 'https://issuer.test/.well-known/ect-authority' }],
    [{ jwks_file: '/bundle.json', fetch: { refresh_seconds: 60 } }],
  ])('%j is right', (members) => {
    expect(problemsIn(members)).toEqual([]);
  });

  test.each<[object, string]>([
    [{}, ': must have exactly one of jwks, jwks_file, jwks_uri, discovery, authority, workload_api.'],
    [
      { jwks, jwks_uri: uri },
      ': must have exactly one of jwks, jwks_file, jwks_uri, discovery, authority, workload_api.',
    ],
    [{ jwks, fetch: {} }, '.fetch: is of no use with jwks, which nobody fetches.'],
    [{ jwks_uri: 'http://issuer.test/' }, '.jwks_uri: it must begin with https://.'],
    [{ jwks_uri: 'issuer.test' }, '.jwks_uri: must be a URL.'],
    [{ jwks_uri: 7 }, '.jwks_uri: must be a URL.'],
    [{ jwks_uri: uri, fetch: [] }, '.fetch: must be an object.'],
    [{ jwks_uri: uri, fetch: { network: 'any' } }, '.fetch.network: must be public or private or loopback.'],
    [
      { jwks_uri: uri, fetch: { refresh_seconds: 0 } },
      '.fetch.refresh_seconds: must be a whole number from 1 to 86400.',
    ],
    [
      { jwks_uri: uri, fetch: { cooldown_seconds: 1.5 } },
      '.fetch.cooldown_seconds: must be a whole number from 1 to 3600.',
    ],
    [
      { jwks_uri: uri, fetch: { max_stale_seconds: 60 } },
      '.fetch.max_stale_seconds: must be refresh_seconds at least.',
    ],
    [{ jwks_uri: uri, fetch: { ca_file: '' } }, '.fetch.ca_file: must be the path of a file.'],
    [{ workload_api: true }, '.workload_api: needs the SPIFFE ID of a trust domain as iss.'],
    [{ jwks_file: '' }, '.jwks_file: must be the path of a file.'],
    [
      { jwks_file: '/x', fetch: { network: 'private' } },
      '.fetch: has the unknown member "network"; known are refresh_seconds.',
    ],
    [
      { jwks_uri: uri, fetch: { refresh: 1 } },
      '.fetch: has the unknown member "refresh"; known are refresh_seconds, cooldown_seconds, max_stale_seconds, network, ca_file, token_file.',
    ],
  ])('%j: %s', (members, problem) => {
    expect(problemsIn(members)).toEqual([problem]);
  });

  test.each(['https://127.0.0.1/', 'https://169.254.169.254/latest', 'https://[::1]/', 'https://192.168.0.1/'])(
    'K2: %s is rejected when the file is read',
    (place) => {
      expect(problemsIn({ jwks_uri: place })).toEqual([expect.stringContaining('.jwks_uri: it must not lead to')]);
      expect(problemsIn({ discovery: place })).toEqual([expect.stringContaining('.discovery: it must not lead to')]);
    },
  );

  test('an issuer of OpenID Connect may be the URL of a host with its slash, and speaks for that text alone', () => {
    const { issuers, problems } = readTrust(JSON.stringify({ issuers: [{ iss: 'https://tenant.test/', jwks }] }));
    expect(problems).toEqual([]);
    expect(issuers[0]?.tokens?.speaksFor('https://tenant.test/')).toBe(true);
    expect(issuers[0]?.tokens?.speaksFor('https://tenant.test')).toBe(false);
    expect(problemsIn({ iss: 'https://tenant.test/', subjects: 'below', jwks })).toHaveLength(1);
  });
});

describe('what an issuer is trusted for', () => {
  const callers = { audience: 'https://ect.example', prefix: 'urn:people:' };
  const use = ['callers'];

  test.each([
    [{ use, callers }],
    [{ use: ['tokens', 'callers'], callers: { ...callers, claim: 'email', other_audiences: true } }],
    [{ use, callers: { audience: 'a', trust_domain: 'example.org', max_lifetime_seconds: 60 } }],
    [{ use, callers, algorithms: ['RS256'] }],
    [{ iss: 'spiffe://example.org', use, callers: { audience: 'a' } }],
  ])('%j is right', (members) => {
    expect(problemsIn({ jwks, ...members })).toEqual([]);
  });

  test.each<[object, string]>([
    [{ use: [] }, '.use: must be a list of tokens, callers, past_callers, each once at most.'],
    [{ use: ['all'] }, '.use: must be a list of tokens, callers, past_callers, each once at most.'],
    [{ use: ['tokens', 'tokens'] }, '.use: must be a list of tokens, callers, past_callers, each once at most.'],
    [{ use: 'tokens' }, '.use: must be a list of tokens, callers, past_callers, each once at most.'],
    [{ use }, '.callers: must be an object, where use has callers.'],
    [{ callers }, '.callers: needs callers in use.'],
    [{ use, callers, subjects: 'exact' }, '.subjects: needs tokens in use.'],
    [{ algorithms: ['RS256'] }, '.algorithms: must have one for tokens: ES256, ES384, EdDSA, Ed25519, PS256.'],
    [
      { algorithms: ['none'] },
      '.algorithms: must be a list of ES256, ES384, EdDSA, Ed25519, PS256, RS256, each once at most.',
    ],
    [
      { algorithms: ['HS256'] },
      '.algorithms: must be a list of ES256, ES384, EdDSA, Ed25519, PS256, RS256, each once at most.',
    ],
    [{ use, callers: { prefix: 'urn:p:' } }, '.callers.audience: must say what aud is.'],
    [
      { use, callers: { audience: 'a' } },
      '.callers.prefix: or trust_domain must say who its callers are, and not both.',
    ],
    [
      { use, callers: { ...callers, trust_domain: 'example.org' } },
      '.callers.prefix: or trust_domain must say who its callers are, and not both.',
    ],
    [
      { use, callers: { audience: 'a', trust_domain: 'example.org', claim: 'x' } },
      '.callers.claim: needs a prefix: a SPIFFE ID is always in sub.',
    ],
    [
      { use, callers: { audience: 'a', trust_domain: 'spiffe://example.org' } },
      '.callers.trust_domain: must be the name of a trust domain, without spiffe://.',
    ],
    [{ use, callers: { ...callers, other_audiences: 'yes' } }, '.callers.other_audiences: must be true or false.'],
    [
      { use, callers: { ...callers, max_lifetime_seconds: 59 } },
      '.callers.max_lifetime_seconds: must be a whole number from 60 to 604800.',
    ],
  ])('%j: %s', (members, problem) => {
    expect(problemsIn({ jwks, ...members })).toEqual([problem]);
  });

  test.each([
    'people',
    'urn:people',
    'spiffe://example.org/',
    'SPIFFE://a/',
    'urn:a::',
    'https://a/%2e/',
    'https://a/../',
    'https://a:',
  ])('names behind %s would be no names of their own', (prefix) => {
    expect(problemsIn({ jwks, use, callers: { ...callers, prefix } })).toEqual([
      expect.stringContaining('.callers.prefix: must be an absolute URI'),
    ]);
  });

  test('a trust domain vouches for its own workloads alone, and a name within one for nobody', () => {
    const iss = 'spiffe://example.org';
    expect(problemsIn({ iss, jwks, use, callers: { audience: 'a', trust_domain: 'other.org' } })).toEqual([
      '.callers.trust_domain: is not for a trust domain: its callers are its workloads.',
    ]);
    expect(problemsIn({ iss: `${iss}/w`, jwks, use, callers: { audience: 'a' } })).toEqual([
      expect.stringContaining('.callers.audience: is for callers, whose issuer is a trust domain'),
    ]);
  });

  test('A10: two issuers that could name the same caller are rejected', () => {
    const entry = (iss: string, identity: object) => ({ iss, jwks, use, callers: { audience: 'a', ...identity } });
    const collide = (one: object, two: object) => problemsOf([entry('urn:a', one), entry('urn:b', two)]).length > 0;
    expect(collide({ prefix: 'urn:p:' }, { prefix: 'urn:p:' })).toBe(true);
    expect(collide({ prefix: 'urn:p:' }, { prefix: 'urn:p:q:' })).toBe(true);
    expect(collide({ prefix: 'urn:p:q:' }, { prefix: 'urn:p:' })).toBe(true);
    expect(collide({ prefix: 'urn:p:' }, { prefix: 'urn:q:' })).toBe(false);
    expect(collide({ trust_domain: 'a.org' }, { trust_domain: 'a.org' })).toBe(true);
    expect(collide({ trust_domain: 'a.org' }, { trust_domain: 'b.org' })).toBe(false);
    expect(collide({ trust_domain: 'a.org' }, { prefix: 'urn:p:' })).toBe(false);
    expect(problemsOf([entry('spiffe://a.org', {}), entry('urn:b', { trust_domain: 'a.org' })])).toEqual([
      'issuers[1].callers: could name the same callers as issuers[0].callers.',
    ]);
  });

  test('A10: callers are not named where callers without an identity are', () => {
    const members = { jwks, use, callers };
    expect(problemsIn(members, { ownIssuer: 'urn:people' })).toEqual([
      '.callers.prefix: must not be ECT_ISSUER or below it, where callers without an identity are named.',
    ]);
    expect(problemsIn(members, { ownIssuer: 'urn:ect' })).toEqual([]);
    expect(problemsIn(members, { ownIssuer: 'urn:people:ect' })).toEqual([
      '.callers.prefix: must not be the beginning of ECT_ISSUER: a caller could be called like it.',
    ]);
  });

  test('A10: no caller is called like an issuer whose own keys sign its tokens', () => {
    const entry = { iss: 'urn:a', jwks, use, callers };
    expect(problemsOf([entry, { iss: 'urn:people:b', jwks }])).toEqual([
      'issuers[0].callers.prefix: must not be the beginning of issuers[1].iss, which signs tokens: a caller could be called like it.',
    ]);
    expect(problemsOf([entry, { iss: 'urn:people', jwks }])).toEqual([]);
    expect(problemsOf([{ ...entry, iss: 'urn:people:a', use: ['tokens', 'callers'] }])).toHaveLength(1);
    expect(problemsOf([{ ...entry, iss: 'urn:people:a' }])).toEqual([]);
  });

  test('past callers are names without keys, which nobody else may give', () => {
    const past = { use: ['past_callers'], callers: { prefix: 'urn:people:' } };
    expect(problemsIn(past, { authenticatesCallers: false })).toEqual([]);
    expect(problemsIn({ ...past, jwks })).toEqual(['.jwks: is not for an issuer with past_callers alone.']);
    expect(problemsIn({ ...past, callers: { prefix: 'urn:people:', audience: 'a' } })).toHaveLength(1);
    expect(problemsIn({ use: ['past_callers'] })).toEqual(['.callers: must be an object, where use has past_callers.']);
    expect(problemsIn({ jwks, use: ['callers', 'past_callers'], callers })).toEqual([
      '.use: must not have both callers and past_callers.',
    ]);
    expect(problemsIn(past, { authenticatesCallers: true })).toEqual([
      'the file: ECT_CALLER_JWTS=yes and ECT_CALLER_WITS=yes need an issuer with callers in use.',
    ]);
    const now = { iss: 'urn:new', jwks, use, callers: { audience: 'a', prefix: 'urn:people:' } };
    expect(problemsOf([{ iss: 'urn:old', ...past }, now])).toEqual([
      'issuers[1].callers: could name the same callers as issuers[0].callers.',
    ]);
    expect(
      problemsOf([
        { iss: 'urn:old', ...past },
        { iss: 'urn:people:a', jwks },
      ]),
    ).toHaveLength(1);
  });

  test('callers are named in the file if the service authenticates them by JWTs, and only then', () => {
    expect(problemsIn({ jwks, use, callers }, { authenticatesCallers: false })).toEqual([
      '.callers: needs ECT_CALLER_JWTS=yes or ECT_CALLER_WITS=yes.',
    ]);
    expect(problemsIn({ jwks }, { authenticatesCallers: true })).toEqual([
      'the file: ECT_CALLER_JWTS=yes and ECT_CALLER_WITS=yes need an issuer with callers in use.',
    ]);
    expect(problemsIn({ jwks, use, callers }, { authenticatesCallers: true })).toEqual([]);
    expect(problemsIn({ jwks }, { authenticatesCallers: false })).toEqual([]);
  });

  test.each([
    'spiffe://Example.org',
    'SPIFFE://example.org/a',
    'spiffe://example.org//a',
    'spiffe://example.org/%61',
    'spiffe:a',
  ])('an iss of scheme spiffe is a SPIFFE ID: %s is none', (iss) => {
    expect(problemsIn({ iss, jwks })).toEqual(['.iss: has the scheme spiffe, so it must be a SPIFFE ID.']);
  });
});
