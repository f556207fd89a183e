import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { readCompact } from '../../src/token/compact.ts';
import { SignatureCache, verifyToken } from '../../src/token/index.ts';
import { fc } from '../support/random.ts';
import { AUD, keys, makeToken, NOW, policy, signingKey, trust } from '../support/tokens.ts';

const key = trust(signingKey);
const question = { now: NOW, audience: AUD, purpose: 'presented' } as const;

/** As long as a usual token, with a signature that is as good as random. */
function signed(name: string, signature = createHash('sha512').update(name).digest()) {
  return { signingInput: Buffer.from(name.padEnd(600, '.')), signature };
}

function partsOf(token: string) {
  const read = readCompact(token);
  if (!read.ok) throw new Error(read.fault);
  return read.parts;
}

describe('the memo of signatures', () => {
  test('holds what was verified, under that key object and in that spelling only', () => {
    const signatureCache = new SignatureCache();
    signatureCache.remember(signed('token'), key);
    expect(signatureCache.holds(signed('token'), key)).toBe(true);
    expect(signatureCache.holds(signed('tokem', signed('token').signature), key)).toBe(false);
    expect(signatureCache.holds(signed('token', signed('tokem').signature), key)).toBe(false);
    const namesake = trust(signingKey);
    expect(signatureCache.holds(signed('token'), namesake)).toBe(false);
    signatureCache.remember(signed('other'), namesake);
    expect(signatureCache.holds(signed('token'), namesake)).toBe(false);
    expect(signatureCache.holds(signed('other'), key)).toBe(false);
  });

  test('tells tokens apart whose signatures begin alike or are the same', () => {
    const signatureCache = new SignatureCache();
    const one = signed('one');
    const nearly = Buffer.from(one.signature);
    nearly[63]! ^= 1;
    signatureCache.remember(one, key);
    expect(signatureCache.holds(signed('two', one.signature), key)).toBe(false);
    expect(signatureCache.holds(signed('one', nearly), key)).toBe(false);
    expect(signatureCache.holds(one, key)).toBe(true);
  });

  test('bytes do not wander between what is signed and the signature', () => {
    const signatureCache = new SignatureCache();
    const whole = Buffer.from(`header.payload${'s'.repeat(64)}`);
    const split = (at: number) => ({ signingInput: whole.subarray(0, at), signature: whole.subarray(at) });
    signatureCache.remember(split(14), key);
    expect(signatureCache.holds(split(14), key)).toBe(true);
    for (const at of [0, 1, 13, 15, 16, 77, 78]) expect(signatureCache.holds(split(at), key)).toBe(false);
    const { signingInput, signature } = split(14);
    for (const length of [0, 4, 32, 63]) {
      expect(signatureCache.holds({ signingInput, signature: signature.subarray(0, length) }, key)).toBe(false);
    }
  });

  test('is bounded: what nobody asks for is forgotten, what is asked for stays', () => {
    const signatureCache = new SignatureCache(100_000);
    signatureCache.remember(signed('kept'), key);
    signatureCache.remember(signed('lost'), key);
    for (let round = 0; round < 2_000; round++) {
      signatureCache.remember(signed(`other-${round}`), key);
      expect(signatureCache.holds(signed('kept'), key)).toBe(true);
    }
    expect(signatureCache.holds(signed('lost'), key)).toBe(false);
  });

  test('never says of anything that it was verified when it was not, however full it is', () => {
    const entry = fc.record({ length: fc.integer({ min: 1, max: 120 }), filling: fc.nat(255), remember: fc.boolean() });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 200, maxLength: 400, size: 'max' }), (entries) => {
        const signatureCache = new SignatureCache(4_096);
        const remembered = new Set<string>();
        for (const { length, filling, remember } of entries) {
          const each = { signingInput: Buffer.alloc(length, 'x'), signature: Buffer.alloc(64, filling) };
          if (remember) {
            signatureCache.remember(each, key);
            remembered.add(`${length} ${filling}`);
            expect(signatureCache.holds(each, key)).toBe(true);
          } else if (signatureCache.holds(each, key)) expect(remembered).toContain(`${length} ${filling}`);
        }
      }),
    );
  });

  test('what would take half of it is not remembered', () => {
    const signatureCache = new SignatureCache(2_000);
    signatureCache.remember(signed('kept'), key);
    signatureCache.remember(signed('x'.repeat(1_000)), key);
    signatureCache.remember(signed('y'.repeat(924)), key);
    expect(signatureCache.holds(signed('x'.repeat(1_000)), key)).toBe(false);
    expect(signatureCache.holds(signed('y'.repeat(924)), key)).toBe(true);
    expect(signatureCache.holds(signed('kept'), key)).toBe(true);
  });

  test('never remembers a bad signature, and a second look at a good token says the same', () => {
    const signatureCache = new SignatureCache();
    const good = makeToken();
    const forged = makeToken({}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    for (let look = 0; look < 2; look++) {
      expect(verifyToken(good, question, policy, keys, signatureCache)).toMatchObject({ ok: true });
      expect(verifyToken(forged, question, policy, keys, signatureCache)).toMatchObject({
        rejection: { reason: 'SIGNATURE_INVALID' },
      });
    }
  });

  test('spares nothing but the signature: time, audience and the state of the key are judged each time', () => {
    const signatureCache = new SignatureCache();
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
      const verdict = verifyToken(token, { ...question, ...more }, policy, ring, signatureCache);
      return verdict.ok ? 'VALID' : verdict.rejection.reason;
    };
    expect(reason()).toBe('VALID');
    expect(reason({ now: NOW + 600 })).toBe('TOKEN_EXPIRED');
    expect(reason({ audience: 'urn:x' })).toBe('AUDIENCE_MISMATCH');
    revokedAt = NOW;
    expect(reason()).toBe('KEY_REVOKED');
  });

  test('spares the verification of what it holds, under that key and no other', () => {
    const signatureCache = new SignatureCache();
    const forged = `${makeToken().slice(0, -8)}AAAAAAAA`;
    signatureCache.remember(partsOf(forged), key);
    const reasonUnder = (trusted: typeof key) => {
      const verdict = verifyToken(forged, question, policy, new KeyRing([trusted]), signatureCache);
      return verdict.ok ? 'VALID' : verdict.rejection.reason;
    };
    expect(reasonUnder(key)).toBe('VALID');
    expect(reasonUnder({ ...key })).toBe('SIGNATURE_INVALID');
  });
});
