// Callers by bearer tokens: what is trusted, and everything that is not.

import { describe, expect, test } from 'vitest';
import { encode, NOW } from '../support/tokens.ts';
import { AUDIENCE, DOMAIN, entries, OIDC, oidc, oidcClaims, open, stranger, svid, svidClaims } from './jwt-callers.ts';

describe('a caller is who its issuer says', () => {
  test('by a JWT-SVID, whose key is looked up in the bundle of its own trust domain', () => {
    const caller = { kind: 'spiffe', id: `${DOMAIN}/w`, proof: { method: 'jwt', strength: 'bearer', by: DOMAIN } };
    expect(open().bearer(svid.jws(svidClaims))).toEqual(caller);
    expect(open().bearer(svid.jws({ ...svidClaims, aud: AUDIENCE, iss: 'anyone' }, { typ: 'JWT' }))).toEqual(caller);
  });

  test('by a token of a Kubernetes service account, under the prefix of its cluster', () => {
    const id = 'urn:k8s:prod:system:serviceaccount:agents:a';
    expect(open().bearer(oidc.jws(oidcClaims))).toEqual({
      kind: 'oidc',
      id,
      proof: { method: 'jwt', strength: 'bearer', by: OIDC },
    });
  });

  test('by another claim than sub, and by a SPIFFE ID that an OpenID Connect issuer vouches for', () => {
    const [, entry] = entries;
    const by = (callers: object, claims: object) =>
      open([{ ...entry, callers: { audience: AUDIENCE, ...callers } }]).bearer(oidc.jws({ ...oidcClaims, ...claims }));
    expect(by({ prefix: 'urn:people:', claim: 'email' }, { email: 'a@example.org' })).toMatchObject({
      kind: 'oidc',
      id: 'urn:people:a@example.org',
    });
    expect(by({ trust_domain: 'example.org' }, { sub: `${DOMAIN}/w` })).toMatchObject({
      kind: 'spiffe',
      id: `${DOMAIN}/w`,
      proof: { by: OIDC },
    });
    expect(by({ trust_domain: 'example.org' }, { sub: 'spiffe://other.org/w' })).toMatch(
      /^CALLER_ID_INVALID .*trust domain/,
    );
  });

  test('in whatever letters the scheme is spelled, and nobody without the header', () => {
    const { callerOf } = open();
    expect(callerOf(`bEARER   ${svid.jws(svidClaims)}`)).toMatchObject({ id: `${DOMAIN}/w` });
    expect(callerOf()).toBeUndefined();
  });
});

describe('A5: nobody by a bearer token', () => {
  const rejected = (token: string, why: RegExp, reason = 'CALLER_UNTRUSTED') => {
    const answer = open().bearer(token);
    expect(answer).toMatch(why);
    expect(answer).toMatch(new RegExp(`^${reason} `));
  };
  const claims = (more: object) => svid.jws({ ...svidClaims, ...more });

  test('that is there twice, or is of another scheme, or too long', () => {
    const { callerOf } = open();
    const good = svid.jws(svidClaims);
    expect(callerOf(`Bearer ${good}`, `Bearer ${good}`)).toMatch(/^CALLER_UNTRUSTED .*more than one/);
    for (const value of [
      '',
      'Bearer',
      'Bearer ',
      `Basic ${good}`,
      good,
      `Bearer ${good}, Bearer ${good}`,
      `Bearer ${good} x`,
    ]) {
      expect(callerOf(value)).toMatch(/^CALLER_UNTRUSTED .*not Bearer/);
    }
    expect(callerOf(`Bearer ${claims({ x: 'x'.repeat(8192) })}`)).toMatch(/longer than 8192/);
  });

  test.each([
    ['no JWT', 'abc'],
    ['a JWE', 'a.b.c.d.e'],
    ['without a signature', `${encode({ alg: 'none' })}.${encode(svidClaims)}.`],
    ['with a claim twice', `${encode({ alg: 'ES256', kid: 'one' })}.${encode('{"sub":"a","sub":"b"}')}.AAAA`],
  ])('that is %s', (_, token) => {
    rejected(token, /token of the caller is rejected/);
  });

  test.each(['none', 'HS256', 'HS512', 'RS512', 'es256', 'ES384', '', 7, null])('of alg %j', (alg) => {
    rejected(svid.jws(svidClaims, { alg }), /alg/);
  });

  test('T2: that is an HMAC under the public key', async () => {
    const { createHmac } = await import('node:crypto');
    const input = `${encode({ alg: 'HS256', kid: 'one' })}.${encode(svidClaims)}`;
    const mac = createHmac('sha256', JSON.stringify(svid.jwk)).update(input).digest('base64url');
    rejected(`${input}.${mac}`, /its alg must be/);
  });

  test.each(['exec+jwt', 'wimse-exec+jwt', 'wpt+jwt', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', '', 7, null, ['JWT']])(
    'of typ %j, which says something else',
    (typ) => {
      rejected(svid.jws(svidClaims, { typ }), /typ/);
    },
  );

  test.each(['jku', 'x5u', 'jwk', 'x5c', 'crit', 'b64', 'zip', 'enc', 'cty'])('K1: with %s in its header', (member) => {
    rejected(svid.jws(svidClaims, { [member]: 'http://127.0.0.1:9/' }), new RegExp(`must not have ${member}`));
  });

  test.each([undefined, '', 7, 'x'.repeat(257)])('with kid %j', (kid) => {
    rejected(svid.jws(svidClaims, { kid }), /no kid/);
  });

  test('T7: of a kid that its issuer does not have', () => {
    for (const kid of ['two', '../one', 'one\n', '__proto__', 'constructor', 'http://127.0.0.1:9/']) {
      rejected(svid.jws(svidClaims, { kid }), /no key of this kid/);
    }
  });

  test('that is signed by somebody else, or changed', () => {
    rejected(stranger.jws(svidClaims), /signature does not verify/);
    const good = svid.jws(svidClaims);
    rejected(`${good.slice(0, good.lastIndexOf('.'))}.${stranger.jws(svidClaims).split('.')[2]}`, /signature/);
    rejected(svid.jws(svidClaims, { alg: 'RS256' }), /another alg/);
  });

  test.each<[string, object, RegExp]>([
    ['has expired', { exp: NOW }, /has expired/],
    ['never expires', { exp: undefined }, /no exp/],
    ['has a text for exp', { exp: String(NOW + 300) }, /no exp/],
    ['has a negative exp', { exp: -1 }, /no exp/],
    ['lives too long', { exp: NOW + 3601 }, /lives for more than 3600 s/],
    ['was issued long ago for long', { iat: NOW - 3600, exp: NOW + 1 }, /lives for more than 3600 s/],
    ['is not valid yet', { nbf: NOW + 31 }, /not valid yet/],
    ['comes from the future', { iat: NOW + 31, exp: NOW + 300 }, /not valid yet/],
    ['has a text for nbf', { nbf: 'now' }, /nbf is no time/],
    ['has a text for iat', { iat: 'now' }, /iat is no time/],
    ['is for somebody else', { aud: ['https://other.example'] }, /does not name this service/],
    ['is for a part of the name', { aud: 'https://ect' }, /does not name this service/],
    ['is for the name in capitals', { aud: AUDIENCE.toUpperCase() }, /does not name this service/],
    ['is for nobody', { aud: [] }, /does not name this service/],
    ['has no aud', { aud: undefined }, /does not name this service/],
    ['is for others too', { aud: [AUDIENCE, 'https://other.example'] }, /names more than this service/],
    ['is for the service twice', { aud: [AUDIENCE, AUDIENCE] }, /names more than this service/],
  ])('that %s', (_, more, why) => {
    rejected(claims(more), why);
  });

  test('30 s of difference between clocks are borne', () => {
    expect(open().bearer(claims({ nbf: NOW + 30, iat: NOW + 30 }))).toMatchObject({ kind: 'spiffe' });
  });

  test('others in aud are accepted where the operator says so', () => {
    const [entry] = entries;
    const callers = { audience: AUDIENCE, other_audiences: true };
    expect(open([{ ...entry, callers }]).bearer(claims({ aud: [AUDIENCE, 'account'] }))).toMatchObject({
      kind: 'spiffe',
    });
    expect(open([{ ...entry, callers }]).bearer(claims({ aud: ['account'] }))).toMatch(/does not name/);
  });
});

test('no rejection quotes a token', () => {
  const { bearer } = open();
  const secret = 'canary-canary-canary';
  for (const token of [
    svid.jws({ ...svidClaims, sub: `${DOMAIN}/${secret} ` }),
    svid.jws({ ...svidClaims, aud: secret }),
    svid.jws(svidClaims, { kid: secret, alg: 'ES256' }),
    svid.jws(svidClaims, { typ: secret }),
    `${secret}.${secret}.${secret}`,
  ]) {
    const answer = bearer(token);
    expect(answer).toMatch(/^CALLER_/);
    expect(answer).not.toContain(secret);
  }
});
