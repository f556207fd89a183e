// One kind of fault: an identifier that two readers take for different names. Wherever a prefix or equality of
// identifiers decides, what could be resolved to somewhere else is rejected.

import { describe, expect, test } from 'vitest';
import { issuerFor } from '../../src/authority/issuer.ts';
import { readConfig } from '../../src/config/index.ts';
import { EctError, type ErrorReason } from '../../src/errors.ts';
import { canBeAbove, isWithin, requiredLevel } from '../../src/token/index.ts';
import type { Level, LevelPolicy } from '../../src/token/level.ts';
import { readTrust } from '../../src/trust/index.ts';

const URL_ISSUER = 'https://id.example/authority';
const URN_ISSUER = 'urn:ect:dev';

describe('T27: a name below the configured issuer', () => {
  test.each([
    [URL_ISSUER, ''],
    [URL_ISSUER, '/a'],
    [URL_ISSUER, '/a/b.c/..d/~e_f-g'],
    [URL_ISSUER, '/a:b@c'],
    [URN_ISSUER, ''],
    [URN_ISSUER, ':a'],
    [URN_ISSUER, '/a'],
    [URN_ISSUER, ':a:b.c/..d'],
  ])('%s%s is one', (own, rest) => {
    expect(isWithin(own + rest, own)).toBe(true);
  });

  const escapes = [
    ['a double-dot segment', '/../admin'],
    ['a double-dot segment at the end', '/a/..'],
    ['a dot segment', '/./admin'],
    ['encoded dots', '/%2e%2e/admin'],
    ['encoded dots in upper case', '/%2E%2E/admin'],
    ['one encoded dot', '/.%2e/admin'],
    ['dots encoded twice', '/%252e%252e/admin'],
    ['an encoded slash', '/..%2fadmin'],
    ['an encoded backslash', '/..%5cadmin'],
    ['a backslash', '/..\\admin'],
    ['an encoded NUL', '/a%00'],
    ['any other escape', '/%61'],
    ['a parameter after dots', '/..;/admin'],
    ['a parameter', '/a;b'],
    ['an empty segment', '//admin'],
    ['an empty segment inside', '/a//b'],
    ['a trailing slash', '/a/'],
    ['nothing after the slash', '/'],
    ['a query', '?a'],
    ['a query below', '/a?/../b'],
    ['a fragment', '#a'],
    ['a fragment below', '/a#b'],
    ['a user', '@evil.example'],
    ['a port', ':8080'],
    ['a longer name', 'x/a'],
    ['a blank', '/a b'],
    ['a tab, which WHATWG readers drop', '/.\t./admin'],
    ['a newline, which WHATWG readers drop', '/.\n./admin'],
    ['a newline at the end', '/a\n'],
    ['a full-width dot', '/\uff0e\uff0e/admin'],
    ['a full-width slash', '/a\uff0f..'],
    ['a division slash', '/a\u2215b'],
    ['a zero-width space', '/.\u200b./admin'],
  ] as const;

  test.each(escapes)('%s is none below a URL', (_title, rest) => {
    expect(isWithin(URL_ISSUER + rest, URL_ISSUER)).toBe(false);
    expect(reasonOf(() => issuerFor({ kind: 'anonymous' }, URL_ISSUER + rest, URL_ISSUER))).toBe('ISSUER_NOT_ALLOWED');
  });

  test.each([
    ...escapes.filter(([title]) => title !== 'a port'),
    ['an empty part', '::a'] as const,
    ['dots between colons', ':..:a'] as const,
  ])('%s is none below a URN', (_title, rest) => {
    expect(isWithin(URN_ISSUER + rest, URN_ISSUER)).toBe(false);
  });

  test.each([
    ['another case of the scheme', 'HTTPS://id.example/authority/a'],
    ['another case of the host', 'https://ID.example/authority/a'],
    ['another case of the path', 'https://id.example/Authority/a'],
    ['the default port', 'https://id.example:443/authority/a'],
    ['a look-alike of a letter', 'https://id.ex\u0430mple/authority/a'],
    ['an escaped letter of the issuer', 'https://id.example/%61uthority/a'],
    ['a dot before the issuer’s path', 'https://id.example/./authority/a'],
  ])('%s is another name', (_title, iss) => {
    expect(isWithin(iss, URL_ISSUER)).toBe(false);
  });

  test.each(['/a,b', '/a:b', '/~a', '/a%2fb', '//a', '/a;p', ':a', '/a/'])(
    'spiffe://example.com/ect%s is none',
    (rest) => {
      const own = 'spiffe://example.com/ect';
      expect(isWithin(own + rest, own)).toBe(false);
      expect(isWithin(`${own}/a/b`, own)).toBe(true);
      expect(isWithin(own, 'spiffe://example.com')).toBe(true);
    },
  );

  test('nothing is below an issuer that is not plain itself, or whose authority a reader of URLs would have to guess', () => {
    for (const own of ['https://id.example/a?b', 'https://id.example/a;b', 'https:id.example', 'https:/id.example']) {
      expect(isWithin(own, own), own).toBe(true);
      expect(isWithin(`${own}/c`, own), own).toBe(false);
      expect(isWithin(`${own}:c@evil.example`, own), own).toBe(false);
    }
    expect(new URL('https:id.example:c@evil.example').hostname).toBe('evil.example');
  });

  test('whatever is taken, a WHATWG reader of URLs finds below the issuer too', () => {
    const parts = ['.', '..', '%2e', '%2E.', '%2f', '/', '\\', ';', '?', '#', '@', ':', 'a', '\t', '', '\uff0e'];
    for (const first of parts) {
      for (const second of parts) {
        for (const third of parts) {
          const iss = `${URL_ISSUER}/${first}${second}/${third}`;
          if (!isWithin(iss, URL_ISSUER)) continue;
          const seen = new URL(iss);
          expect(seen.href, iss).toBe(iss);
          expect(seen.pathname.startsWith('/authority/'), iss).toBe(true);
        }
      }
    }
  });
});

describe('T27: an issuer above others is plain itself', () => {
  test.each([
    ['urn:ect:dev', true],
    ['https://id.example', true],
    ['https://id.example:8443/a/b', true],
    ['spiffe://example.com/ect', true],
    ['spiffe://example.com', true],
    ['spiffe://example.com//a', false],
    ['spiffe://example.com/%2e%2e/a', false],
    ['spiffe://example.com/a%2fb', false],
    ['spiffe://example.com/%41', false],
    ['spiffe://example.com/a;p', false],
    ['spiffe://example.com/a,b', false],
    ['spiffe://Example.com/a', false],
    ['spiffe://example.com:443/a', false],
    ['Spiffe://example.com/a', false],
    ['https:id.example', false],
    ['https:/id.example/a', false],
    ['HTTP:id.example', false],
    ['https://id.example/a/..', false],
    ['https://id.example/a//b', false],
    ['https://id.example/%61', false],
    ['https://id.example/a?b', false],
    ['https://id.example?b', false],
    ['https://id.example/a#b', false],
    ['https://id.example/a;b', false],
    ['urn:ect:..:a', false],
    ['urn:ect::a', false],
    ['urn:ect:', false],
    ['https://id.example/', false],
    ['ect', false],
  ])('%s: %s, in ECT_ISSUER and in a trust file', (issuer, isPlain) => {
    expect(canBeAbove(issuer)).toBe(isPlain);
    const read = () => readConfig({ ECT_ISSUER: issuer }).issuer;
    if (isPlain) expect(read()).toBe(issuer);
    else expect(read).toThrow('ECT_ISSUER must be');
    const { problems } = readTrust(JSON.stringify({ issuers: [{ iss: issuer, subjects: 'below', jwks: {} }] }));
    expect(problems.some((problem) => /\.(?:subjects|iss):/.test(problem))).toBe(!isPlain);
  });
});

describe('identifiers that are compared whole have one spelling', () => {
  test.each([
    'spiffe://example.com/a/../b',
    'spiffe://example.com/.',
    'spiffe://example.com/%61',
    'spiffe://Example.com/a',
  ])('A2: no administrator is %s', (id) => {
    expect(() => readConfig({ ...CLIENT_TLS, ECT_ADMINS: id })).toThrow('ECT_ADMINS must be');
  });

  test('a minimum level is for exactly one exec_act: look-alikes are other tasks', () => {
    const policy: LevelPolicy = {
      minimumLevel: 'L2',
      minimumLevels: new Map<string, Level>([
        ['execute_trade', 'L3'],
        ['ping', 'L1'],
      ]),
    };
    expect(requiredLevel(policy, undefined, 'execute_trade')).toBe('L3');
    for (const other of ['Ping', 'ping ', 'ping\u200b', 'p\u0456ng', 'pi%6eg']) {
      expect(requiredLevel(policy, undefined, other), other).toBe('L2');
    }
  });
});

const CLIENT_TLS = { ECT_TLS_CERT: '/c', ECT_TLS_KEY: '/k', ECT_TLS_CLIENT_CA: '/ca' };

function reasonOf(run: () => unknown): ErrorReason | 'OK' {
  try {
    run();
    return 'OK';
  } catch (error) {
    if (error instanceof EctError) return error.reason;
    throw error;
  }
}
