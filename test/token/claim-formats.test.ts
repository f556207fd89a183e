import { describe, expect, test } from 'vitest';
import { checkFormats, hashClaim, type TypedClaims } from '../../src/token/index.ts';
import { ISS, NOW, OTHER_JTI, payload } from '../support/tokens.ts';

const DAY = 86_400;
const policy = { maxLifetimeSeconds: DAY, ids: 'uuid' } as const;
const claims: TypedClaims = {
  ...payload,
  wid: '',
  inp_hash: '',
  out_hash: '',
  ect_ext: undefined,
  policy: undefined,
};

function rejectionOf(overrides: Partial<TypedClaims>): string {
  const rejection = checkFormats({ ...claims, ...overrides }, policy);
  return rejection === undefined ? 'none' : `${rejection.reason} ${rejection.metadata['claim'] ?? ''}`.trim();
}

describe('the first rule that is broken is named, in the order of the claims', () => {
  const broken: readonly (readonly [string, Partial<TypedClaims>])[] = [
    ['CLAIM_INVALID iss', { iss: 'x' }],
    ['CLAIM_INVALID aud', { aud: [] }],
    ['CLAIM_INVALID jti', { jti: 'x' }],
    ['CLAIM_INVALID wid', { wid: 'x' }],
    ['CLAIM_INVALID exec_act', { exec_act: '' }],
    ['CLAIM_INVALID exp', { exp: NOW }],
    ['PRED_INVALID', { pred: ['x'] }],
    ['CLAIM_INVALID inp_hash', { inp_hash: 'x' }],
    ['CLAIM_INVALID out_hash', { out_hash: 'x' }],
    ['EXT_TOO_LARGE', { ect_ext: { a: 'x'.repeat(4096) } }],
  ];
  test.each(broken.map(([reason], at) => [reason, at] as const))('%s', (reason, at) => {
    const all = Object.assign({}, ...broken.slice(at).map(([, fault]) => fault));
    expect(rejectionOf(all)).toBe(reason);
  });
});

describe('lifetimes', () => {
  test.each([
    [Number.MAX_SAFE_INTEGER, 'CLAIM_INVALID exp'],
    [2 ** 63, 'CLAIM_INVALID exp'],
    [NOW + DAY, 'none'],
    [NOW + DAY + 1, 'CLAIM_INVALID exp'],
    [NOW + 1, 'none'],
    [NOW, 'CLAIM_INVALID exp'],
    [0, 'CLAIM_INVALID exp'],
    [-1, 'CLAIM_INVALID exp'],
  ])('T17: exp %d: %s', (exp, reason) => {
    expect(rejectionOf({ exp })).toBe(reason);
  });
});

test('T17: no exp, and so no iat, lies after the last second that RFC 3339 can say', () => {
  const last = Date.parse('9999-12-31T23:59:59Z') / 1000;
  expect(rejectionOf({ iat: last - 1, exp: last })).toBe('none');
  expect(rejectionOf({ iat: last, exp: last + 1 })).toBe('CLAIM_INVALID exp');
});

describe('names', () => {
  test.each([
    'urn:uuid:550e8400-e29b-41d4-a716-446655440000',
    'https://example.com/a?b=c#d',
    'spiffe://example.com',
    'spiffe://example.com/a/b_c.d-E',
    'https://example.com//a/%2e%2e/b;p',
    "a+b-c.1:!$&'()*+,;=%41[]@~_",
    `https://example.com/${'a'.repeat(2028)}`,
  ])('%s is an issuer', (iss) => {
    expect(rejectionOf({ iss })).toBe('none');
  });

  test.each([
    'spiffe://example.com//a',
    'spiffe://example.com/%2e%2e/a',
    'spiffe://example.com/a%2fb',
    'spiffe://example.com/%41',
    'spiffe://example.com/a;p',
    'spiffe://example.com/a/../b',
    'spiffe://example.com/a/',
    'spiffe://Example.com/a',
    'spiffe://example.com:443/a',
    'spiffe://me@example.com/a',
    'spiffe://example.com/a?b',
    'spiffe:example.com/a',
    'SPIFFE://example.com/a',
    `spiffe://${'a'.repeat(256)}/a`,
  ])('A2 T20: %s is no issuer: of the scheme spiffe, an issuer is a SPIFFE ID', (iss) => {
    expect(rejectionOf({ iss })).toBe('CLAIM_INVALID iss');
    expect(checkFormats({ ...claims, iss }, policy, '00')?.metadata).toEqual({ claim: 'iss' });
  });

  test.each(['', ':', 'urn:', '1a:b', 'é:b', 'a:é', 'a:b c', 'a:<b>', 'a:b\n', 'a:\\b', 'a:b"', 'a:{b}', 'a:`', 'a:^'])(
    '%j is no issuer',
    (iss) => {
      expect(rejectionOf({ iss })).toBe('CLAIM_INVALID iss');
    },
  );

  test('an audience is bounded by its bytes, not by its characters', () => {
    expect(rejectionOf({ aud: ['é'.repeat(1024)] })).toBe('none');
    expect(rejectionOf({ aud: [`${'é'.repeat(1024)}a`] })).toBe('CLAIM_INVALID aud');
  });

  test('T19: 64 audiences are the most', () => {
    const parties = Array.from({ length: 65 }, (_, at) => `urn:a:${at}`);
    expect(rejectionOf({ aud: parties.slice(0, 64) })).toBe('none');
    expect(rejectionOf({ aud: parties })).toBe('CLAIM_INVALID aud');
  });

  test.each(['\ud800', 'a\udfff', '\ud83d', '\u0000', '\u007f', '\u0085', '\u001b[31m'])(
    'S2: neither an audience nor an action may hold %j',
    (text) => {
      expect(rejectionOf({ aud: [text] })).toBe('CLAIM_INVALID aud');
      expect(rejectionOf({ exec_act: text })).toBe('CLAIM_INVALID exec_act');
    },
  );

  test('T22: a task may do what every object has a name for', () => {
    for (const exec_act of ['__proto__', 'constructor', 'toString']) expect(rejectionOf({ exec_act })).toBe('none');
  });
});

describe('predecessors', () => {
  test('T16: ten thousand are rejected by their number, before each is looked at', () => {
    expect(rejectionOf({ pred: Array.from({ length: 10_000 }, () => 'x'.repeat(1000)) })).toBe('PRED_INVALID');
  });

  test.each([[[OTHER_JTI.toUpperCase()]], [[`${OTHER_JTI}\n`]], [['__proto__']]])('T16: %j is rejected', (pred) => {
    expect(rejectionOf({ pred })).toBe('PRED_INVALID');
  });
});

describe('the extension', () => {
  const nest = (depth: number): TypedClaims['ect_ext'] => (depth === 1 ? {} : { a: nest(depth - 1)! });

  test('is measured in bytes of UTF-8', () => {
    const fill = (characters: number) => ({ ect_ext: { a: 'é'.repeat(characters) } });
    expect(rejectionOf(fill(2044))).toBe('none');
    expect(rejectionOf(fill(2045))).toBe('EXT_TOO_LARGE');
  });

  test('names its limits', () => {
    expect(checkFormats({ ...claims, ect_ext: nest(6) }, policy)).toMatchObject({ metadata: { limit_depth: '5' } });
    const large = { a: 'x'.repeat(4096) };
    expect(checkFormats({ ...claims, ect_ext: large }, policy)).toMatchObject({ metadata: { limit_bytes: '4096' } });
  });

  test('may be empty, and 5 deep', () => {
    expect(rejectionOf({ ect_ext: {} })).toBe('none');
    expect(rejectionOf({ ect_ext: nest(5) })).toBe('none');
    expect(rejectionOf({ ect_ext: nest(6) })).toBe('EXT_TOO_DEEP');
  });
});

test.each([
  ['', '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'],
  ['test', 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg'],
])('the hash claim of %j is %s', (text, expected) => {
  expect(hashClaim(Buffer.from(text))).toBe(expected);
  expect(rejectionOf({ inp_hash: expected, out_hash: expected })).toBe('none');
});

test('the example is valid', () => {
  expect(claims.iss).toBe(ISS);
  expect(rejectionOf({})).toBe('none');
});
