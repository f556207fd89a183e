import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { SignatureMemo, verifyToken } from '../../src/token/index.ts';
import { AUD, keys, makeToken, NOW, policy, signingKey, trust } from '../support/tokens.ts';

const key = trust(signingKey);
const question = { now: NOW, audience: AUD, reading: 'presented' } as const;

describe('the memo of signatures', () => {
  test('holds what was verified, under that key object and in that spelling only', () => {
    const memo = new SignatureMemo();
    memo.remember('token', key);
    expect(memo.holds('token', key)).toBe(true);
    expect(memo.holds('tokem', key)).toBe(false);
    expect(memo.holds('token', trust(signingKey))).toBe(false);
  });

  test('tells tokens apart that end alike, in a young and in an old generation', () => {
    const end = 's'.repeat(86);
    const memo = new SignatureMemo(1000);
    memo.remember(`one.${end}`, key);
    expect(memo.holds(`two.${end}`, key)).toBe(false);
    memo.remember('f'.repeat(1000), key);
    expect(memo.holds(`two.${end}`, key)).toBe(false);
    expect(memo.holds(`one.${end}`, key)).toBe(true);
  });

  test('is bounded: what nobody asks for during a generation is forgotten, what is asked for stays', () => {
    const memo = new SignatureMemo(100);
    memo.remember('kept', key);
    memo.remember('lost', key);
    for (let round = 0; round < 50; round++) {
      memo.remember(`other-${round}`, key);
      expect(memo.holds('kept', key)).toBe(true);
    }
    expect(memo.holds('lost', key)).toBe(false);
  });

  test('never remembers a bad signature, and a second look at a good token says the same', () => {
    const memo = new SignatureMemo();
    const good = makeToken();
    const forged = makeToken({}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    for (let look = 0; look < 2; look++) {
      expect(verifyToken(good, question, policy, keys, memo)).toMatchObject({ ok: true });
      expect(verifyToken(forged, question, policy, keys, memo)).toMatchObject({
        refusal: { reason: 'SIGNATURE_INVALID' },
      });
    }
  });

  test('spares nothing but the signature: time, audience and the state of the key are judged each time', () => {
    const memo = new SignatureMemo();
    const token = makeToken();
    let revokedAt = NOW + 601;
    const watched = {
      ...key,
      get revokedAt() {
        return revokedAt;
      },
    };
    const ring = new KeyRing([watched]);
    const reason = (more: object = {}) => {
      const verdict = verifyToken(token, { ...question, ...more }, policy, ring, memo);
      return verdict.ok ? 'VALID' : verdict.refusal.reason;
    };
    expect(reason()).toBe('VALID');
    expect(reason({ now: NOW + 600 })).toBe('TOKEN_EXPIRED');
    expect(reason({ audience: 'urn:x' })).toBe('AUDIENCE_MISMATCH');
    revokedAt = NOW;
    expect(reason()).toBe('KEY_REVOKED');
  });

  test('spares the verification of what it holds, under that key and no other', () => {
    const memo = new SignatureMemo();
    const forged = `${makeToken().slice(0, -8)}AAAAAAAA`;
    memo.remember(forged, key);
    const reasonUnder = (trusted: typeof key) => {
      const verdict = verifyToken(forged, question, policy, new KeyRing([trusted]), memo);
      return verdict.ok ? 'VALID' : verdict.refusal.reason;
    };
    expect(reasonUnder(key)).toBe('VALID');
    expect(reasonUnder({ ...key })).toBe('SIGNATURE_INVALID');
  });
});
