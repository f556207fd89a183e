// Which issuer speaks for which callers, and what a JWT that was verified counts for.

import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { jwtCallers } from '../../src/callers/jwt.ts';
import type { EctError } from '../../src/errors.ts';
import { NOW } from '../support/tokens.ts';
import { AUDIENCE, DOMAIN, entries, oidc, oidcClaims, open, stranger, svid, svidClaims } from './jwt-callers.ts';

describe('T20, A10: an issuer speaks for its own callers alone', () => {
  const rejection = (answer: unknown) => String(answer).split(' ', 1)[0];

  test('keys with the same kid are distinguished by issuer', () => {
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
