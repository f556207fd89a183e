import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TOKEN_STEPS } from '../../src/token/index.ts';
import { AUD, header, ISS, JTI, KID, makeToken, NOW, OTHER_JTI, payload, signParts } from '../support/tokens.ts';
import { reasonFor, verdictOn } from './verdict.ts';

describe('a good token', () => {
  test('is valid, and its claims come out as they went in', () => {
    const verdict = verdictOn(makeToken({ wid: OTHER_JTI, ect_ext: { 'com.example.cost': 1.5 } }));
    expect(verdict).toMatchObject({
      ok: true,
      token: { kid: KID, claims: { ...payload, wid: OTHER_JTI, ect_ext: { 'com.example.cost': 1.5 }, inp_hash: '' } },
    });
  });

  test('may name one audience as a string', () => {
    expect(reasonFor(makeToken({ aud: AUD }))).toBe('VALID');
  });

  test('may bear the older type', () => {
    expect(reasonFor(makeToken({}, { typ: 'wimse-exec+jwt' }))).toBe('VALID');
  });

  test('T23: unknown claims and header members are ignored, and what is signed has them still', () => {
    const token = makeToken({ scope: 'x', cnf: 'never', cost: 1.5, _: null }, { 'x-trace': 'y', nonce: 7 });
    const verdict = verdictOn(token);
    expect(verdict).toMatchObject({ ok: true, token: { claims: { iss: ISS } } });
    const kept = verdict.ok ? Buffer.from(verdict.token.signingInput).toString() : '';
    expect(kept).toBe(token.slice(0, token.lastIndexOf('.')));
  });

  test('T22: members named like built-ins are plain data: no prototype changes, and the next verdict is the same', () => {
    const before = { verdict: JSON.stringify(verdictOn(makeToken())), own: Reflect.ownKeys(Object.prototype).join() };
    const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];
    for (const name of names) {
      const evil = `{"polluted":true,"iss":"urn:evil","isAdmin":true,"alg":"none","kid":"${KID}"}`;
      const inside = (part: object) => `${JSON.stringify(part).slice(0, -1)},"${name}":${evil}}`;
      expect(reasonFor(signParts(header, inside(payload))), name).toBe('VALID');
      expect(reasonFor(signParts(inside(header), payload)), name).toBe('VALID');
      expect(
        reasonFor(signParts(header, inside({ ...payload, ect_ext: '@' }).replace('"@"', `{"${name}":${evil}}`))),
      ).toBe('VALID');
      // Claims and header members that only a prototype would have are missing.
      expect(reasonFor(signParts(header, `{"${name}":${JSON.stringify(payload)}}`)), name).toBe('CLAIM_MISSING');
      expect(reasonFor(signParts(`{"${name}":${JSON.stringify(header)}}`, payload)), name).toBe('TYP_INVALID');
      expect(reasonFor(makeToken({ jti: name, wid: name }))).toBe('CLAIM_INVALID');
      expect(reasonFor(makeToken({ pred: [name] }))).toBe('PRED_INVALID');
    }
    expect(Reflect.ownKeys(Object.prototype).join()).toBe(before.own);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(JSON.stringify(verdictOn(makeToken()))).toBe(before.verdict);
  });

  test('the draft-style example of a fan-in is valid', () => {
    const ect_ext = { pol: 'policy_v1', pol_decision: 'approved' };
    const inp_hash = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
    const pred = [OTHER_JTI, '7d444840-9dc0-11d1-b245-5ffdce74fad2'];
    expect(reasonFor(makeToken({ wid: OTHER_JTI, pred, inp_hash, ect_ext }))).toBe('VALID');
  });

  test('every step reports its outcome', () => {
    const outcomes = verdictOn(makeToken()).outcomes;
    const byName = Object.fromEntries(TOKEN_STEPS.map(({ name }, step) => [name, outcomes[step]]));
    expect(byName).toMatchObject({ size: 'PASS', signature: 'PASS', audience: 'PASS', hashes: 'SKIPPED' });
  });
});

describe('the verifier', () => {
  test.each([
    ['another party', 'spiffe://example.com/agent/c'],
    ['a prefix', AUD.slice(0, -1)],
    ['a longer name', `${AUD}/`],
    ['upper case', AUD.toUpperCase()],
  ])('T19: %s is not the audience', (_, audience) => {
    expect(reasonFor(makeToken(), { audience })).toBe('AUDIENCE_MISMATCH');
  });

  test('T19: one of several audiences is enough', () => {
    expect(reasonFor(makeToken({ aud: ['urn:x:1', AUD] }))).toBe('VALID');
  });

  test.each([
    [NOW + 599, 'VALID'],
    [NOW + 600, 'TOKEN_EXPIRED'],
    [NOW - 30, 'VALID'],
    [NOW - 31, 'IAT_IN_FUTURE'],
  ])('T18: at %d the token is %s', (now, reason) => {
    expect(reasonFor(makeToken(), { now })).toBe(reason);
  });

  test('T18: iat may be 900 s old and not 901', () => {
    const token = makeToken({ exp: NOW + 10_000 });
    expect(reasonFor(token, { now: NOW + 900 })).toBe('VALID');
    expect(reasonFor(token, { now: NOW + 901 })).toBe('IAT_TOO_OLD');
  });

  test.each([
    [NOW + 30, NOW, 'VALID'],
    [NOW + 31, NOW, 'TOKEN_NOT_YET_VALID'],
    [NOW + 31, NOW + 1, 'VALID'],
    [NOW + 599, NOW + 568, 'TOKEN_NOT_YET_VALID'],
    [NOW + 599, NOW + 569, 'VALID'],
    [0, NOW, 'VALID'],
    [NOW + 600, NOW, 'CLAIM_INVALID'],
  ])('T29: a token whose nbf is %d is at %d %s', (nbf, now, reason) => {
    expect(reasonFor(makeToken({ nbf }), { now })).toBe(reason);
    // Not a record either: it would be one of a task that was done before its token was valid.
    expect(reasonFor(makeToken({ nbf }), { now, purpose: 'recorded', audience: undefined })).toBe(reason);
  });

  test('T29: an expired token is expired, whatever its nbf; a report names one fault of time as well', () => {
    const token = makeToken({ nbf: NOW + 599 });
    expect(reasonFor(token, { now: NOW + 600 })).toBe('TOKEN_EXPIRED');
    const report = verdictOn(makeToken({ nbf: NOW + 31, aud: ['urn:x'] }), { mode: 'report' });
    expect(report).toMatchObject({
      failures: [{ rejection: { reason: 'AUDIENCE_MISMATCH' } }, { rejection: { reason: 'TOKEN_NOT_YET_VALID' } }],
    });
  });

  test('a record may have expired, and may not come from the future', () => {
    const question = { purpose: 'recorded', audience: undefined } as const;
    expect(reasonFor(makeToken(), { ...question, now: NOW + 1_000_000 })).toBe('VALID');
    expect(reasonFor(makeToken(), { ...question, now: NOW - 31 })).toBe('IAT_IN_FUTURE');
  });

  const hash = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
  test('input and output are those that the token was issued for', () => {
    const token = makeToken({ inp_hash: hash });
    expect(reasonFor(token, { inputHash: hash })).toBe('VALID');
    expect(reasonFor(token, { inputHash: `${hash.slice(0, -1)}k` })).toBe('INPUT_HASH_MISMATCH');
    expect(reasonFor(token, { inputHash: hash, outputHash: hash })).toBe('OUTPUT_HASH_MISMATCH');
  });

  test('the claims of a token that fails after its formats are still shown, and earlier ones never', () => {
    const expired = verdictOn(makeToken(), { now: NOW + 600 });
    expect(expired).toMatchObject({ ok: false, token: { claims: { jti: JTI } } });
    const forged = verdictOn(makeToken({}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey));
    expect(forged).toMatchObject({ ok: false, rejection: { reason: 'SIGNATURE_INVALID' }, token: undefined });
    expect(forged.outcomes.filter((outcome) => outcome === 'FAIL')).toHaveLength(1);
    expect(forged.outcomes).toHaveLength(TOKEN_STEPS.length);
  });
});
