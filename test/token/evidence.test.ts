import { describe, expect, test } from 'vitest';
import { KeyRing, type TrustedKey } from '../../src/keys/index.ts';
import { makeToken, NOW, signingKey, trust } from '../support/tokens.ts';
import { judge, reasonFor } from './judge.ts';

const YEAR = 365 * 86_400;
const token = makeToken();
const ring = (times: Partial<TrustedKey>) => new KeyRing([trust(signingKey, times)]);
/** Years after the token expired, as of a second of its life. */
const asOf = (second: number) => ({ now: NOW + 3 * YEAR, asOf: second });

describe('as of a past time', () => {
  test('a token that has expired since is valid', () => {
    expect(reasonFor(token, { question: { now: NOW + 3 * YEAR } })).toBe('TOKEN_EXPIRED');
    expect(reasonFor(token, { question: asOf(NOW) })).toBe('VALID');
  });

  test.each([
    [NOW - 31, 'IAT_IN_FUTURE'],
    [NOW - 30, 'VALID'],
    [NOW + 599, 'VALID'],
    [NOW + 600, 'TOKEN_EXPIRED'],
  ])('T18: its times are judged to the second: %d %s', (second, reason) => {
    expect(reasonFor(token, { question: asOf(second) })).toBe(reason);
  });

  test.each([
    [NOW + 70, 'TOKEN_NOT_YET_VALID'],
    [NOW + 71, 'VALID'],
  ])('T29: nbf is judged as of then: %d %s', (second, reason) => {
    const later = makeToken({ nbf: NOW + 101 });
    expect(reasonFor(later, { question: asOf(second) })).toBe(reason);
    expect(reasonFor(later, { question: { ...asOf(second), purpose: 'recorded' } })).toBe(reason);
  });

  test.each([
    [makeToken(), NOW - 31, 'The token was issued 31 s after as_of.'],
    [makeToken(), NOW + 600, 'The token had expired at as_of.'],
    [makeToken({ nbf: NOW + 101 }), NOW, 'nbf is 101 s after as_of.'],
    [makeToken({ exp: NOW + 80_000 }), NOW + 70_000, 'iat is more than 900 s before as_of.'],
  ])('T18: a time that is not that of as_of is blamed on no clock', (presented, second, message) => {
    const verdict = judge(presented, { question: asOf(second) });
    const rejection = verdict.ok ? undefined : verdict.rejection;
    expect(rejection?.message).toBe(message);
    expect(rejection?.remedy).toMatch(/^Verify the token as of a moment /);
    expect(judge(presented, { question: { now: second } })).not.toMatchObject({
      rejection: { remedy: expect.anything() },
    });
  });

  test('a record may be read before its own age limit and after its expiry', () => {
    const question = { ...asOf(NOW + YEAR), purpose: 'recorded' as const };
    expect(reasonFor(token, { question })).toBe('VALID');
    expect(reasonFor(token, { question: { ...question, asOf: NOW - 31 } })).toBe('IAT_IN_FUTURE');
  });

  test.each<[string, Partial<TrustedKey>, number, string]>([
    ['before it was in force', { notBefore: NOW }, NOW - 1, 'KEY_EXPIRED'],
    ['in its first second', { notBefore: NOW }, NOW, 'VALID'],
    ['in its last second', { notAfter: NOW + 1 }, NOW, 'VALID'],
    ['when it had expired', { notAfter: NOW }, NOW, 'KEY_EXPIRED'],
    ['before it was revoked', { revokedAt: NOW + 1 }, NOW, 'VALID'],
    ['when it had been revoked', { revokedAt: NOW }, NOW, 'KEY_REVOKED'],
    ['revoked nobody knows when', { revokedAt: 0 }, NOW, 'KEY_REVOKED'],
    ['revoked and expired', { revokedAt: NOW, notAfter: NOW }, NOW, 'KEY_REVOKED'],
  ])('K9: the key counts as it was then: %s', (_, times, second, reason) => {
    expect(reasonFor(token, { ring: ring(times), question: asOf(second) })).toBe(reason);
    expect(reasonFor(token, { ring: ring(times), question: { now: second } })).toBe(reason);
  });

  test.each([
    [NOW - 30, 'VALID'],
    [NOW - 31, 'KEY_EXPIRED'],
  ])('K9: a key that signs until %d signed nothing more than 30 s later: %s', (signsUntil, reason) => {
    expect(reasonFor(token, { ring: ring({ signsUntil }) })).toBe(reason);
  });

  test('a key that was in force then and is not now is rejected now', () => {
    const question = { now: NOW + 1 };
    for (const times of [{ notAfter: NOW + 1 }, { revokedAt: NOW + 1 }]) {
      expect(reasonFor(token, { ring: ring(times), question })).not.toBe('VALID');
      expect(reasonFor(token, { ring: ring(times), question: { ...question, asOf: NOW } })).toBe('VALID');
    }
  });

  test('the rejections of a key say which end of its time was missed', () => {
    const messageOf = (times: Partial<TrustedKey>) => {
      const verdict = judge(token, { ring: ring(times) });
      return verdict.ok ? '' : verdict.rejection.message;
    };
    expect(messageOf({ notBefore: NOW + 1 })).toBe('The key is not in force yet.');
    expect(messageOf({ notAfter: NOW })).toBe('The key has expired.');
  });
});
