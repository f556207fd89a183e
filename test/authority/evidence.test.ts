// Evidence mode: a token as it was at a time of the past.

import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { VERIFY_STEPS } from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import { KeyRing, type TrustedKey } from '../../src/keys/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { makeToken, NOW, signingKey, trust } from '../support/tokens.ts';
import { appendTo, issueFor, PARTY, reasonIn, reasonOf, verifyFor } from './support.ts';

const YEARS = 5 * 365 * 86_400;

describe('as of a past time', () => {
  test('a token is judged by that time, to the second', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context, { ttlSeconds: 60 });
    clock.advance(YEARS);
    for (const [asOf, reason] of [
      [NOW - 31, 'IAT_IN_FUTURE'],
      [NOW - 30, 'VALID'],
      [NOW + 59, 'VALID'],
      [NOW + 60, 'TOKEN_EXPIRED'],
      [NOW + YEARS, 'TOKEN_EXPIRED'],
    ] as const) {
      expect(reasonIn(await verifyFor(context, token, { asOf })), String(asOf - NOW)).toBe(reason);
    }
    expect(await reasonOf(verifyFor(context, token, { asOf: NOW + YEARS + 1 }))).toBe('REQUEST_INVALID');
  });

  test('a recorded token is verified as of the time of its entry, however late', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context, { ttlSeconds: 60 });
    clock.advance(59);
    await appendTo(context, token);
    clock.advance(YEARS);
    const late = await verifyFor(context, token, { asOf: NOW + YEARS, minimumLevel: 'L3', dag: 'complete' });
    expect(late).toMatchObject({ rejection: undefined, level: 'L3', dag: { status: 'complete' } });
    expect(reasonIn(await verifyFor(context, token))).toBe('TOKEN_EXPIRED');
  });

  test('an entry counts from the second in which it was recorded, and not before', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context, { ttlSeconds: 60 });
    clock.advance(50);
    await appendTo(context, token);
    clock.advance(YEARS);
    const l3 = (asOf: number) => verifyFor(context, token, { asOf, minimumLevel: 'L3' });
    expect(reasonIn(await l3(NOW + 49))).toBe('LEVEL_TOO_LOW');
    expect(reasonIn(await l3(NOW + 50))).toBe('VALID');
  });

  test('what else is wrong with a recorded token is still wrong', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context, { ttlSeconds: 60 });
    await appendTo(context, token);
    clock.advance(YEARS);
    const asOf = NOW + YEARS;
    expect(reasonIn(await verifyFor(context, token, { asOf, audience: 'urn:other' }))).toBe('AUDIENCE_MISMATCH');
    const report = await verifyFor(context, token, { asOf, audience: 'urn:other', mode: 'report' });
    expect(report.failures.map(({ rejection }) => rejection.reason)).toEqual(['AUDIENCE_MISMATCH']);
  });

  test('replay is neither checked nor recorded', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    for (let use = 0; use < 2; use++) {
      const verdict = await verifyFor(context, token, { asOf: NOW, replay: 'record' });
      expect([reasonIn(verdict), verdict.outcomes[VERIFY_STEPS.length - 1]]).toEqual(['VALID', 'SKIPPED']);
    }
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, token, { asOf: NOW }))).toBe('VALID');
  });

  test('a key counts as it did then: in force before it ended or was revoked, and not after', async () => {
    const { context, clock } = await makeAuthority();
    const token = makeToken({ aud: [PARTY] });
    clock.advance(YEARS);
    const asOf = (at: number, state: Partial<TrustedKey>) =>
      verifyFor({ ...context, keys: new KeyRing([trust(signingKey, state)]) }, token, { asOf: at }).then(reasonIn);
    expect(await asOf(NOW + 99, { revokedAt: NOW + 100 })).toBe('VALID');
    expect(await asOf(NOW + 100, { revokedAt: NOW + 100 })).toBe('KEY_REVOKED');
    expect(await asOf(NOW + 99, { notAfter: NOW + 100 })).toBe('VALID');
    expect(await asOf(NOW + 100, { notAfter: NOW + 100 })).toBe('KEY_EXPIRED');
    expect(await asOf(NOW + 99, { notBefore: NOW + 100 })).toBe('KEY_EXPIRED');
  });
});

describe('K11 a token under a key that is no longer in the ring', () => {
  const keyOf = (publicKey: TrustedKey['publicKey'], kid: string): TrustedKey => ({
    kid,
    publicKey,
    speaksFor: () => true,
    signsUntil: NOW + 60,
    notAfter: NOW + 3600,
  });

  test('is evidence as of its time, and expired now', async () => {
    const { context, signer, clock } = await makeAuthority();
    const { token } = await issueFor(context);
    const asked: string[] = [];
    const keys = new KeyRing([], async (kid) => {
      asked.push(kid);
      return kid === signer.jwk.kid ? keyOf(signer.publicKey, kid) : undefined;
    });
    clock.advance(YEARS);
    const later = { ...context, keys };
    expect(reasonIn(await verifyFor(later, token))).toBe('KEY_EXPIRED');
    expect(reasonIn(await verifyFor(later, token, { asOf: NOW }))).toBe('VALID');
    expect(reasonIn(await verifyFor(later, token, { asOf: NOW, mode: 'report' }))).toBe('VALID');
    // From then on it is held.
    expect(asked).toEqual([signer.jwk.kid]);
    expect(reasonIn(await verifyFor(later, makeToken(), { asOf: NOW }))).toBe('KEY_UNKNOWN');
  });

  test('T20: is evidence also where an issuer has given a key of its own that name', async () => {
    const { context, signer, clock } = await makeAuthority();
    const { token } = await issueFor(context);
    const kid = signer.jwk.kid;
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const theirs = { kid, publicKey, speaksFor: (iss: string) => iss === 'urn:theirs' };
    const ours = { ...keyOf(signer.publicKey, kid), speaksFor: (iss: string) => iss === ISSUER };
    const later = { ...context, keys: new KeyRing([theirs], async () => ours) };
    clock.advance(YEARS);
    for (const mode of ['enforce', 'report'] as const) {
      expect(reasonIn(await verifyFor(later, token, { asOf: NOW, mode }))).toBe('VALID');
    }
    const nobodys = { ...context, keys: new KeyRing([theirs], async () => undefined) };
    expect(reasonIn(await verifyFor(nobodys, token, { asOf: NOW }))).toBe('SIGNATURE_INVALID');
  });

  test('is no answer where the ledger cannot be asked: as of now an unknown key is rejected in any case', async () => {
    const { context } = await makeAuthority();
    const keys = new KeyRing([], () => Promise.reject(new EctError(reject('LEDGER_UNAVAILABLE', 'test'))));
    const cut = { ...context, keys };
    expect(reasonIn(await verifyFor(cut, makeToken()))).toBe('KEY_UNKNOWN');
    expect(await reasonOf(verifyFor(cut, makeToken(), { asOf: NOW }))).toBe('LEDGER_UNAVAILABLE');
  });
});
