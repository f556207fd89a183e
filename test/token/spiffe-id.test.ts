import { describe, expect, test } from 'vitest';
import { hasSpiffeScheme, isSpiffeId, isWorkloadId, trustDomainOf } from '../../src/token/spiffe-id.ts';

const longest = `spiffe://example.com/${'a'.repeat(2048 - 21)}`;

describe('A2: a SPIFFE ID has one spelling', () => {
  test.each(['spiffe://example.com/agent/a', 'spiffe://a/b', 'spiffe://a_b-c.d1/X.y_z-0/..a', longest])(
    '%s is one',
    (id) => {
      expect(isWorkloadId(id)).toBe(true);
    },
  );

  test.each([
    ['nothing', ''],
    ['another scheme', 'http://example.com/a'],
    ['the scheme in upper case', 'SPIFFE://example.com/a'],
    ['an upper-case trust domain', 'spiffe://Example.com/a'],
    ['an empty trust domain', 'spiffe:///a'],
    ['a trust domain of 256 characters', `spiffe://${'a'.repeat(256)}/a`],
    ['no path', 'spiffe://example.com'],
    ['an empty path', 'spiffe://example.com/'],
    ['a trailing slash', 'spiffe://example.com/a/'],
    ['an empty segment', 'spiffe://example.com//a'],
    ['a dot segment', 'spiffe://example.com/./a'],
    ['a double-dot segment', 'spiffe://example.com/a/..'],
    ['percent encoding', 'spiffe://example.com/%61'],
    ['a port', 'spiffe://example.com:80/a'],
    ['a user', 'spiffe://me@example.com/a'],
    ['a query', 'spiffe://example.com/a?b'],
    ['a fragment', 'spiffe://example.com/a#b'],
    ['NUL', 'spiffe://example.com/a\0'],
    ['a newline at the end', 'spiffe://example.com/a\n'],
    ['a comma', 'spiffe://example.com/a,URI:spiffe://example.com/b'],
    ['non-ASCII', 'spiffe://example.com/ä'],
    ['2,049 bytes', `${longest}a`],
    ['a parameter', 'spiffe://example.com/a;p'],
    ['an encoded slash', 'spiffe://example.com/a%2fb'],
  ])('%s is none', (_title, id) => {
    expect(isWorkloadId(id)).toBe(false);
    // A trust domain has an ID too, and only that has no path.
    expect(isSpiffeId(id)).toBe(id === 'spiffe://example.com');
  });

  test('it belongs to the trust domain before its path', () => {
    expect(trustDomainOf('spiffe://example.com/a/b')).toBe('example.com');
    expect(trustDomainOf('spiffe://example.com')).toBe('example.com');
  });

  test('its scheme is recognised in upper and lower case, because URI parsers treat them as equal', () => {
    for (const uri of ['spiffe://a/b', 'SPIFFE://a/b', 'Spiffe:a']) expect(hasSpiffeScheme(uri), uri).toBe(true);
    for (const uri of ['spiffes://a/b', 'urn:spiffe:a', 'spiffe', '']) expect(hasSpiffeScheme(uri), uri).toBe(false);
  });
});
