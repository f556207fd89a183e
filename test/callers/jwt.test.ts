// Callers by bearer tokens: what is trusted, and everything that is not.

import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { jwtCallers } from '../../src/callers/jwt.ts';
import { EctError } from '../../src/errors.ts';
import { ForeignIssuers, readTrust } from '../../src/trust/index.ts';
import { issuerKey, rsaIssuerKey } from '../support/jwks.ts';
import { encode, NOW } from '../support/tokens.ts';

const [svid, oidc, stranger] = [issuerKey('one'), rsaIssuerKey('one'), issuerKey('one')];
const DOMAIN = 'spiffe://example.org';
const OIDC = 'https://oidc.test';
const AUDIENCE = 'https://ect.example';
const entries = [
  {
    iss: DOMAIN,
    jwks: { keys: [{ ...svid.jwk, use: 'sig' }] },
    use: ['callers'],
    callers: { audience: AUDIENCE, max_lifetime_seconds: 3600 },
  },
  {
    iss: OIDC,
    jwks: { keys: [oidc.jwk] },
    use: ['callers'],
    callers: { audience: AUDIENCE, prefix: 'urn:k8s:prod:', max_lifetime_seconds: 3600 },
  },
];

function open(issuers: readonly object[] = entries) {
  const state = { now: NOW };
  const read = (list: readonly object[]) => {
    const { issuers: found, problems } = readTrust(JSON.stringify({ issuers: list }));
    expect(problems).toEqual([]);
    return found;
  };
  const quiet = () => undefined;
  const foreign = new ForeignIssuers(read(issuers), {
    nowMs: () => 0,
    onTokenKeys: quiet,
    events: {
      foreignKeysTaken: quiet,
      foreignKeysFailed: quiet,
      foreignKeysExpired: quiet,
      foreignIssuerRemoved: quiet,
    },
  });
  let lookedUp = 0;
  const authenticate = jwtCallers({
    issuerOf: (iss, sub) => {
      lookedUp++;
      return foreign.callerIssuer(iss, sub);
    },
    now: () => state.now,
    maxRemembered: 3,
  });
  /** Who makes a request with these `authorization` headers, or the reason and the sentence of the rejection. */
  const callerOf = (...values: readonly string[]) => {
    const presented = {
      socket: {} as Socket,
      httpMethod: 'POST',
      path: '/ect.v1.AuthorityService/Issue',
      header: (name: string) => (name === 'authorization' ? values : ['never asked']),
    };
    try {
      return authenticate(presented);
    } catch (error) {
      expect(error).toBeInstanceOf(EctError);
      const { reason, message } = error as EctError;
      return `${reason} ${message}`;
    }
  };
  const bearer = (token: string) => callerOf(`Bearer ${token}`);
  return { state, foreign, callerOf, bearer, read, lookedUp: () => lookedUp };
}

const svidClaims = { sub: `${DOMAIN}/w`, aud: [AUDIENCE], exp: NOW + 300 };
const oidcClaims = { iss: OIDC, sub: 'system:serviceaccount:agents:a', aud: AUDIENCE, iat: NOW - 10, exp: NOW + 300 };

describe('a caller is who its issuer says', () => {
  test('by a JWT-SVID, whose key is looked up in the bundle of its own trust domain', () => {
    const caller = { kind: 'spiffe', id: `${DOMAIN}/w`, proof: { method: 'jwt', by: DOMAIN } };
    expect(open().bearer(svid.jws(svidClaims))).toEqual(caller);
    expect(open().bearer(svid.jws({ ...svidClaims, aud: AUDIENCE, iss: 'whoever' }, { typ: 'JWT' }))).toEqual(caller);
  });

  test('by a token of a Kubernetes service account, under the prefix of its cluster', () => {
    const id = 'urn:k8s:prod:system:serviceaccount:agents:a';
    expect(open().bearer(oidc.jws(oidcClaims))).toEqual({ kind: 'oidc', id, proof: { method: 'jwt', by: OIDC } });
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

describe('T20, A10: an issuer speaks for its own callers alone', () => {
  const rejection = (answer: unknown) => String(answer).split(' ', 1)[0];

  test('keys of one kid are told apart by issuer', () => {
    const { bearer } = open();
    expect(bearer(svid.jws(oidcClaims))).toMatch(/another alg|alg must/);
    expect(bearer(oidc.jws(svidClaims))).toMatch(/another alg/);
    const twin = open([entries[0]!, { ...entries[1]!, jwks: { keys: [stranger.jwk] } }]);
    expect(twin.bearer(stranger.jws(svidClaims))).toMatch(/signature does not verify/);
    expect(twin.bearer(svid.jws(oidcClaims))).toMatch(/signature does not verify/);
    expect(twin.bearer(stranger.jws(oidcClaims))).toMatchObject({ kind: 'oidc' });
  });

  test('an issuer that nobody named vouches for nobody', () => {
    const { bearer } = open();
    for (const iss of ['https://oidc.test/', 'https://OIDC.test', 'http://oidc.test', 'urn:k8s:prod', undefined, 7]) {
      expect(bearer(oidc.jws({ ...oidcClaims, iss }))).toMatch(/not trusted for callers/);
    }
    expect(bearer(svid.jws({ ...svidClaims, sub: 'spiffe://other.org/w' }))).toMatch(/not trusted for callers/);
  });

  test.each([
    `${DOMAIN}/`,
    `${DOMAIN}//w`,
    `${DOMAIN}/w/`,
    `${DOMAIN}/../w`,
    `${DOMAIN}/./w`,
    `${DOMAIN}/%77`,
    `${DOMAIN}/a b`,
    `${DOMAIN}/w?x`,
    `${DOMAIN}/w#x`,
    `${DOMAIN}/w;p`,
    `${DOMAIN}/é`,
    `${DOMAIN}/w\n`,
  ])('no name is born of %j', (sub) => {
    expect(rejection(open().bearer(svid.jws({ ...svidClaims, sub })))).toBe('CALLER_ID_INVALID');
  });

  test.each([
    '',
    ':a',
    'a:',
    'a::b',
    'a:..:b',
    '.',
    '..',
    'a/../b',
    'a//b',
    'a%3ab',
    'a b',
    'a?b',
    'a#b',
    'a;b',
    'a\nb',
    'é',
    'x'.repeat(2048),
  ])('and none of the claim %j', (sub) => {
    expect(rejection(open().bearer(oidc.jws({ ...oidcClaims, sub })))).toBe('CALLER_ID_INVALID');
  });

  test.each([undefined, 7, null, ['a'], { a: 1 }, true])('nor of a claim that is %j', (sub) => {
    expect(rejection(open().bearer(oidc.jws({ ...oidcClaims, sub })))).toBe('CALLER_ID_INVALID');
  });

  test('a claim that objects inherit is no claim', () => {
    const [, entry] = entries;
    const callers = { audience: AUDIENCE, prefix: 'urn:p:', claim: 'constructor' };
    expect(rejection(open([{ ...entry, callers }]).bearer(oidc.jws(oidcClaims)))).toBe('CALLER_ID_INVALID');
  });
});

describe('a JWT that was verified', () => {
  test('is the same caller, without being read again', () => {
    const { bearer, lookedUp } = open();
    const token = svid.jws(svidClaims);
    const first = bearer(token);
    const before = lookedUp();
    expect(bearer(token)).toBe(first);
    expect(lookedUp()).toBe(before + 1);
  });

  test('ends with its exp all the same', () => {
    const { bearer, state } = open();
    const token = svid.jws(svidClaims);
    expect(bearer(token)).toMatchObject({ kind: 'spiffe' });
    state.now = NOW + 299;
    expect(bearer(token)).toMatchObject({ kind: 'spiffe' });
    state.now = NOW + 300;
    expect(bearer(token)).toMatch(/has expired/);
  });

  test('ends with its key, with the rule for its issuer, and with the issuer', () => {
    const { bearer, foreign, read } = open();
    const token = svid.jws(svidClaims);
    const [entry] = entries;
    const under = (...issuers: readonly object[]) => {
      foreign.replace(read(issuers));
      return bearer(token);
    };
    expect(bearer(token)).toMatchObject({ kind: 'spiffe' });
    expect(under({ ...entry, jwks: { keys: [stranger.jwk] } })).toMatch(/signature/);
    expect(under(entry!)).toMatchObject({ kind: 'spiffe' });
    expect(under({ ...entry, callers: { audience: 'other' } })).toMatch(/aud/);
    expect(under(entry!)).toMatchObject({ kind: 'spiffe' });
    expect(under(entries[1]!)).toMatch(/not trusted for callers/);
    expect(under({ ...entry, jwks: { keys: [{ ...svid.jwk, revoked_at: NOW }] } })).toMatch(/revoked/);
    expect(under({ ...entry, jwks: { keys: [{ ...svid.jwk, exp: NOW }] } })).toMatch(/expired/);
  });

  test('ends with its key where a fetch has replaced or removed that, and the issuer is the same', () => {
    const { foreign } = open();
    const found = foreign.callerIssuer(undefined, `${DOMAIN}/w`)!;
    let keys = found.keys;
    const issuer = {
      ...found,
      get keys() {
        return keys;
      },
      want: () => ({ state: 'cooling', forMs: 5_000 }) as const,
    };
    const authenticate = jwtCallers({ issuerOf: () => issuer, now: () => NOW });
    const values = [`Bearer ${svid.jws(svidClaims)}`];
    const bearer = (): unknown => {
      try {
        return authenticate({ socket: {} as Socket, httpMethod: 'POST', path: '/', header: () => values });
      } catch (error) {
        return `${(error as EctError).reason} ${(error as EctError).message}`;
      }
    };
    expect(bearer()).toMatchObject({ kind: 'spiffe' });
    const other = open([{ ...entries[0], jwks: { keys: [stranger.jwk] } }]).foreign;
    keys = other.callerIssuer(undefined, `${DOMAIN}/w`)!.keys;
    expect(bearer()).toMatch(/signature does not verify/);
    keys = new Map([...found.keys].map(([, key]) => ['two', key]));
    expect(bearer()).toMatch(/^CALLER_UNTRUSTED .*no key of this kid/);
    keys = new Map();
    expect(bearer()).toMatch(/^ISSUER_KEYS_UNAVAILABLE /);
    keys = found.keys;
    expect(bearer()).toMatchObject({ kind: 'spiffe' });
  });

  test('gives way to later ones: a few are remembered', () => {
    const { bearer } = open();
    const tokens = Array.from({ length: 5 }, (_, at) => svid.jws({ ...svidClaims, jti: String(at) }));
    const first = tokens.map((token) => bearer(token));
    expect(bearer(tokens[4]!)).toBe(first[4]);
    const again = bearer(tokens[0]!);
    expect(again).toEqual(first[0]);
    expect(again).not.toBe(first[0]);
  });

  test('one that was rejected is rejected again', () => {
    const { bearer } = open();
    const forged = stranger.jws(svidClaims);
    for (let at = 0; at < 3; at++) expect(bearer(forged)).toMatch(/signature/);
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
