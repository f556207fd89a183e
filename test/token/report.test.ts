import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { SignatureCache, TOKEN_STEPS, verifyToken } from '../../src/token/index.ts';
import { encode, keys, makeToken, NOW, policy, signingKey, trust } from '../support/tokens.ts';
import { judge } from './judge.ts';

const forged = (token: string) => `${token.slice(0, -8)}AAAAAAAA`;

/** The steps that failed with their reasons, and those that were skipped. */
function report(
  token: string,
  ring = keys,
): { readonly failed: readonly string[]; readonly skipped: readonly string[] } {
  const verdict = judge(token, { ring, question: { mode: 'report' } });
  const failures = verdict.ok ? [] : verdict.failures;
  const named = TOKEN_STEPS.map(({ name }, at) => ({ name, outcome: verdict.outcomes[at] }));
  // Every row that failed has its rejection, and no other has one.
  expect(failures.map(({ step }) => step)).toEqual(
    named.flatMap(({ outcome }, at) => (outcome === 'FAIL' ? [at] : [])),
  );
  return {
    failed: failures.map(({ step, rejection }) => `${TOKEN_STEPS[step]!.name} ${rejection.reason}`),
    skipped: named.filter(({ outcome }) => outcome === 'SKIPPED').map(({ name }) => name),
  };
}

describe('a report', () => {
  test('on a good token is the verdict that enforcing gives', () => {
    const token = makeToken();
    const { outcomes, ...verdict } = judge(token, { question: { mode: 'report' } });
    const enforced = judge(token);
    expect(outcomes).toEqual(enforced.outcomes);
    expect(verdict).toMatchObject({ ok: true, token: { kid: 'agent-a-key' } });
  });

  test('lists everything that is wrong with a token, in order', () => {
    const token = forged(makeToken({ aud: 'urn:x', exp: NOW, iat: NOW - 901 }, { typ: 'JWT', cty: 'x' }));
    expect(report(token)).toEqual({
      failed: [
        'typ TYP_INVALID',
        'header HEADER_FORBIDDEN',
        'signature SIGNATURE_INVALID',
        'audience AUDIENCE_MISMATCH',
        'time TOKEN_EXPIRED',
      ],
      skipped: ['hashes'],
    });
  });

  test('gives the reason of the first failure, as enforcing does', () => {
    const token = forged(makeToken({ aud: 'urn:x' }, { cty: 'x' }));
    const [reported, enforced] = (['report', 'enforce'] as const).map((mode) => judge(token, { question: { mode } }));
    expect(reported).toMatchObject({ ok: false, rejection: { reason: 'HEADER_FORBIDDEN' } });
    expect(enforced).toMatchObject({ ok: false, rejection: { reason: 'HEADER_FORBIDDEN' }, failures: [{ step: 4 }] });
  });

  test('enforcing is the default, and runs nothing after a failure', () => {
    const { outcomes } = judge(makeToken({ aud: 'urn:x', jti: 'x' }, { cty: 'x' }));
    expect(outcomes).toEqual([...Array(4).fill('PASS'), 'FAIL', ...Array(10).fill('SKIPPED')]);
  });
});

describe('claims that nobody vouches for never come out of a report', () => {
  test.each([
    ['the signature', forged(makeToken()), keys],
    ['the type', makeToken({}, { typ: 'JWT' }), keys],
    ['the header', makeToken({}, { cty: 'JWT' }), keys],
    ['the algorithm', makeToken({}, { alg: 'none' }), keys],
    ['the key', makeToken({}, { kid: 'nobody' }), keys],
    ['the state of the key', makeToken(), new KeyRing([trust(signingKey, { revokedAt: 0 })])],
  ])('after a failure of %s', (_, token, ring) => {
    const verdict = judge(token, { ring, question: { mode: 'report', audience: 'urn:x' } });
    expect(verdict).toMatchObject({ ok: false, token: undefined });
    // They were judged nevertheless.
    expect(verdict.ok ? [] : verdict.failures.map(({ rejection }) => rejection.reason)).toContain('AUDIENCE_MISMATCH');
  });

  test('nor those of an unsigned object below the minimum', () => {
    const verdict = judge(encode({ iss: 'urn:a' }), { question: { mode: 'report' } });
    expect(verdict).toMatchObject({ ok: false, token: undefined });
    expect(verdict.ok ? [] : verdict.failures.map(({ rejection }) => rejection.reason)).toEqual([
      'LEVEL_TOO_LOW',
      'CLAIM_MISSING',
    ]);
  });

  test('but those that hold do, when only a later step fails', () => {
    const verdict = judge(makeToken({ aud: 'urn:x', exp: NOW + 1 }), { question: { mode: 'report', now: NOW + 1 } });
    expect(verdict).toMatchObject({ ok: false, token: { kid: 'agent-a-key' } });
    expect(verdict.ok ? [] : verdict.failures.map(({ rejection }) => rejection.reason)).toEqual([
      'AUDIENCE_MISMATCH',
      'TOKEN_EXPIRED',
    ]);
  });
});

describe('a step whose ground is missing is skipped', () => {
  const all = TOKEN_STEPS.map(({ name }) => name);
  const signature = ['typ', 'header', 'alg', 'key', 'key_state', 'signature', 'issuer'];

  test('of a token that is too large every one: nothing of it is parsed', () => {
    expect(report('.'.repeat(20_000))).toEqual({ failed: ['size TOKEN_TOO_LARGE'], skipped: all.slice(1) });
  });

  test('of a token that is malformed every one that reads it', () => {
    expect(report('a.b.c')).toEqual({ failed: ['form TOKEN_MALFORMED'], skipped: all.slice(2) });
  });

  test('of an unsigned object those of the signature', () => {
    expect(report('{}')).toEqual({
      failed: ['level LEVEL_TOO_LOW', 'claims CLAIM_MISSING'],
      skipped: [...signature.slice(0, -1), 'formats', 'issuer', 'audience', 'time', 'hashes'],
    });
  });

  test('without an algorithm those of the key under it', () => {
    expect(report(makeToken({}, { alg: 'none' }))).toEqual({
      failed: ['alg ALG_NOT_ALLOWED'],
      skipped: ['key_state', 'signature', 'hashes'],
    });
  });

  test('without a key those that need it', () => {
    expect(report(makeToken({}, { kid: 'nobody' }))).toEqual({
      failed: ['key KEY_UNKNOWN'],
      skipped: ['key_state', 'signature', 'issuer', 'hashes'],
    });
  });

  test('with a key that does not fit nothing is verified under it, with one that is revoked it is', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    expect(report(makeToken(), new KeyRing([trust(privateKey)]))).toEqual({
      failed: ['key_state KEY_MISMATCH'],
      skipped: ['signature', 'hashes'],
    });
    expect(report(forged(makeToken()), new KeyRing([trust(signingKey, { revokedAt: 0 })]))).toEqual({
      failed: ['key_state KEY_REVOKED', 'signature SIGNATURE_INVALID'],
      skipped: ['hashes'],
    });
  });

  test('without typed claims those that judge them', () => {
    expect(report(makeToken({ iat: 'x', aud: 'urn:x' }))).toEqual({
      failed: ['claims CLAIM_INVALID'],
      skipped: ['formats', 'issuer', 'audience', 'time', 'hashes'],
    });
  });

  test('a broken format does not hide an audience that does not fit', () => {
    expect(report(makeToken({ jti: 'x', aud: 'urn:x' }))).toEqual({
      failed: ['formats CLAIM_INVALID', 'audience AUDIENCE_MISMATCH'],
      skipped: ['hashes'],
    });
  });

  test('a type that was rejected does not decide the draft: its names do', () => {
    expect(report(makeToken({ pred: undefined, par: [] }, { typ: 'JWT' })).failed).toEqual(['typ TYP_INVALID']);
    expect(report(makeToken({}, { typ: undefined })).failed).toEqual(['typ TYP_INVALID']);
  });
});

test('a signature that a report has verified is good for the next verdict, and nothing else of it', () => {
  const signatureCache = new SignatureCache();
  const token = makeToken({}, { cty: 'x' });
  const question = { now: NOW, purpose: 'recorded', mode: 'report' } as const;
  for (let round = 0; round < 2; round++) {
    const verdict = verifyToken(token, question, policy, keys, signatureCache);
    expect(verdict).toMatchObject({ ok: false, rejection: { reason: 'HEADER_FORBIDDEN' }, token: undefined });
  }
});
