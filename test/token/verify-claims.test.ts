// Verification, from the key on: its signature, and what its claims may be.

import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { header, JTI, makeToken, NOW, OTHER_JTI, payload, signingKey, signParts, trust } from '../support/tokens.ts';
import { claimAt, reasonFor, verdictOn } from './verdict.ts';

describe('key and signature', () => {
  test.each(['P-384', 'P-521', 'secp256k1'])('T3: a key on %s does not fit ES256', (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    const ring = new KeyRing([trust(privateKey)]);
    expect(reasonFor(makeToken({}, {}, privateKey), {}, ring)).toBe('KEY_MISMATCH');
  });

  test('T3: an RSA key does not fit ES256', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(reasonFor(makeToken(), {}, new KeyRing([trust(publicKey)]))).toBe('KEY_MISMATCH');
  });

  test('a revoked key is rejected', () => {
    expect(reasonFor(makeToken(), {}, new KeyRing([trust(signingKey, { revokedAt: 0 })]))).toBe('KEY_REVOKED');
  });

  test('a key is expired from its last second on', () => {
    const ring = new KeyRing([trust(signingKey, { notAfter: NOW })]);
    expect(reasonFor(makeToken(), { now: NOW - 1 }, ring)).toBe('VALID');
    expect(reasonFor(makeToken(), {}, ring)).toBe('KEY_EXPIRED');
  });

  test('T25: no bit of a token can be flipped', () => {
    const token = makeToken();
    for (let at = 0; at < token.length; at++) {
      for (const bit of [1, 4, 32]) {
        const flipped = `${token.slice(0, at)}${String.fromCharCode(token.charCodeAt(at) ^ bit)}${token.slice(at + 1)}`;
        expect(verdictOn(flipped).ok, `byte ${at}`).toBe(false);
      }
    }
  });

  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const hex = (value: bigint) => value.toString(16).padStart(64, '0').slice(-64);
  const [input, signature] = (() => {
    const token = makeToken();
    const at = token.lastIndexOf('.');
    return [token.slice(0, at), Buffer.from(token.slice(at + 1), 'base64url').toString('hex')] as const;
  })();
  const [r, s] = [BigInt(`0x${signature.slice(0, 64)}`), BigInt(`0x${signature.slice(64)}`)];
  test.each([
    ['r = 0', hex(0n) + hex(s)],
    ['s = 0', hex(r) + hex(0n)],
    ['r = n', hex(order) + hex(s)],
    ['s = n', hex(r) + hex(order)],
    ['r = n + 1', hex(order + 1n) + hex(s)],
    ['both 1', hex(1n) + hex(1n)],
    ['63 bytes', (hex(r) + hex(s)).slice(2)],
    ['65 bytes', `${hex(r)}${hex(s)}00`],
    ['no bytes', ''],
    ['DER', `3044${'0220'}${hex(r)}0220${hex(s)}`],
  ])('T8: a signature with %s does not verify', (_, raw) => {
    expect(reasonFor(`${input}.${Buffer.from(raw, 'hex').toString('base64url')}`)).toBe('SIGNATURE_INVALID');
  });

  test('T9: the high-s twins of 100 tokens verify, and each has the identity of its token and of no other', () => {
    const digests = new Set<string>();
    for (let count = 0; count < 100; count++) {
      const token = makeToken({ jti: `${JTI.slice(0, -3)}${String(count).padStart(3, '0')}` });
      const at = token.lastIndexOf('.');
      const raw = Buffer.from(token.slice(at + 1), 'base64url').toString('hex');
      const high = hex(BigInt(`0x${raw.slice(0, 64)}`)) + hex(order - BigInt(`0x${raw.slice(64)}`));
      const twin = `${token.slice(0, at)}.${Buffer.from(high, 'hex').toString('base64url')}`;
      expect(twin).not.toBe(token);
      const [own, other] = [verdictOn(token), verdictOn(twin)].map((verdict) =>
        verdict.ok ? Buffer.from(verdict.token.digest).toString('hex') : 'invalid',
      );
      expect(own).toMatch(/^[0-9a-f]{64}$/);
      expect(other).toBe(own);
      digests.add(own!);
    }
    expect(digests.size).toBe(100);
  });

  test('T20: a key of another issuer is rejected, though the signature is good', () => {
    expect(reasonFor(makeToken({ iss: 'spiffe://example.com/agent/x' }))).toBe('ISSUER_MISMATCH');
  });

  test('T20: two issuers with keys of the same kid are distinguished by iss', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const theirs = 'spiffe://example.org/agent';
    const ring = new KeyRing([trust(signingKey), trust(privateKey, { speaksFor: (iss) => iss === theirs })]);
    expect(reasonFor(makeToken({ iss: theirs }, {}, privateKey), {}, ring)).toBe('VALID');
    expect(reasonFor(makeToken({}, {}, signingKey), {}, ring)).toBe('VALID');
    expect(reasonFor(makeToken({ iss: theirs }, {}, signingKey), {}, ring)).toBe('SIGNATURE_INVALID');
  });
});

describe('claims', () => {
  test.each(['iss', 'aud', 'iat', 'exp', 'jti', 'exec_act', 'pred'])('%s is required', (claim) => {
    const verdict = verdictOn(makeToken({ [claim]: undefined }));
    expect(verdict).toMatchObject({ ok: false, rejection: { reason: 'CLAIM_MISSING', metadata: { claim } } });
  });

  test.each([
    ['iss', 7],
    ['iss', ''],
    ['iss', 'no-scheme'],
    ['iss', 'https://example.com/a b'],
    ['iss', `https://example.com/${'a'.repeat(2048)}`],
    ['aud', 7],
    ['aud', []],
    ['aud', [7]],
    ['aud', ['']],
    ['aud', ['a\u0007']],
    ['aud', Array.from({ length: 65 }, (_, at) => `urn:a:${at}`)],
    ['jti', 'not-a-uuid'],
    ['jti', JTI.toUpperCase()],
    ['jti', `{${JTI}}`],
    ['wid', ''],
    ['wid', null],
    ['wid', 'x'],
    ['exec_act', ''],
    ['exec_act', 'a\nb'],
    ['exec_act', 'x'.repeat(257)],
    ['inp_hash', ''],
    ['inp_hash', 7],
    ['ect_ext', 'x'],
    ['ect_ext', []],
    ['ect_ext', null],
  ])('a token whose %s is %j is rejected', (claim, value) => {
    const token = makeToken({ [claim]: value });
    expect(reasonFor(token)).toBe('CLAIM_INVALID');
    expect(claimAt(token)).toBe(claim);
  });

  test('characters of exec_act are counted, not bytes', () => {
    expect(reasonFor(makeToken({ exec_act: '😀'.repeat(256) }))).toBe('VALID');
    expect(reasonFor(makeToken({ exec_act: '😀'.repeat(257) }))).toBe('CLAIM_INVALID');
  });

  /** T29: `nbf` is the fourth date that a token may have. `pol_timestamp` is a claim of its own only in -00. */
  const dates = [
    ['a text', '"1772000000"', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['a float', '1772000000.0', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['out of range', '1e400', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['an exponent', '1e20', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['negative', '-1', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['negative zero', '-0', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['2^53', '9007199254740992', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['2^63', '9223372036854775808', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['null', 'null', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['a boolean', 'true', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    ['a list', '[1]', 'iat', 'exp', 'pol_timestamp', 'nbf'],
    // These are integers: what is wrong is the lifetime that they make, or a year that no Timestamp has.
    ['zero', '0', 'exp', 'exp', 'none', 'none'],
    ['milliseconds', '1772000000000', 'exp', 'exp', 'pol_timestamp', 'nbf'],
  ] as const;
  test.each(dates)('T17: a date that is %s (%s)', (_, spelling, ...faulty) => {
    const older = { ...payload, pred: undefined, par: [], pol_timestamp: NOW };
    for (const [at, claim] of ['iat', 'exp', 'pol_timestamp', 'nbf'].entries()) {
      const text = JSON.stringify({ ...older, [claim]: '@' }).replace('"@"', spelling);
      const token = signParts({ ...header, typ: 'wimse-exec+jwt' }, text);
      const expected = faulty[at] === 'none' ? 'VALID' : 'CLAIM_INVALID';
      expect(reasonFor(token), claim).toBe(expected);
      expect(claimAt(token) ?? 'none', claim).toBe(faulty[at]);
    }
  });

  test.each(['1.772e9', '9007199254740993', '1772000000.5', '01772000000'])(
    'T17: iat and exp spelled %s are rejected',
    (spelling) => {
      for (const claim of ['iat', 'exp']) {
        const text = JSON.stringify({ ...payload, [claim]: '@' }).replace('"@"', spelling);
        expect(reasonFor(signParts(header, text))).toBe(spelling.startsWith('0') ? 'TOKEN_MALFORMED' : 'CLAIM_INVALID');
      }
    },
  );

  test('T17: exp must be later than iat, by a day at most', () => {
    expect(reasonFor(makeToken({ exp: NOW }))).toBe('CLAIM_INVALID');
    expect(reasonFor(makeToken({ exp: NOW + 86_400 }))).toBe('VALID');
    expect(reasonFor(makeToken({ exp: NOW + 86_401 }))).toBe('CLAIM_INVALID');
  });

  const ids = Array.from({ length: 101 }, (_, at) => `${OTHER_JTI.slice(0, -3)}${String(at).padStart(3, '0')}`);
  test('T16: a task may name 100 predecessors', () => {
    expect(reasonFor(makeToken({ pred: ids.slice(0, 100) }))).toBe('VALID');
  });
  test.each([
    ['101 entries', ids],
    ['a duplicate', [OTHER_JTI, OTHER_JTI]],
    ['the task itself', [JTI]],
    ['no list', OTHER_JTI],
    ['a text that is no UUID', ['x']],
    ['an empty text', ['']],
    ['a number', [7]],
    ['null', null],
  ])('T16: pred with %s is rejected', (_, pred) => {
    expect(reasonFor(makeToken({ pred }))).toBe('PRED_INVALID');
  });

  const hash = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
  test.each([
    ['42 characters', hash.slice(1)],
    ['44 characters', `${hash}A`],
    ['padding', `${hash}=`],
    ['unused bits that are not zero', `${hash.slice(0, -1)}h`],
    ['the prefix of the older draft', `sha-256:${hash}`],
    ['32 bytes too many', `${hash}${hash}`],
  ])('T24: a hash with %s is rejected', (_, value) => {
    expect(reasonFor(makeToken({ inp_hash: value }))).toBe('CLAIM_INVALID');
    expect(reasonFor(makeToken({ out_hash: value }))).toBe('CLAIM_INVALID');
  });

  test('T15: ect_ext may have 4,096 bytes of compact JSON and not one more', () => {
    const fill = (bytes: number) => ({ ect_ext: { a: 'x'.repeat(bytes - 8) } });
    expect(reasonFor(makeToken(fill(4096)))).toBe('VALID');
    expect(reasonFor(makeToken(fill(4097)))).toBe('EXT_TOO_LARGE');
  });

  test('T15: blanks between members of ect_ext do not count', () => {
    const text = JSON.stringify({ ...payload, ect_ext: '@' }).replace('"@"', `{"a":${' '.repeat(4100)}1}`);
    expect(reasonFor(signParts(header, text))).toBe('VALID');
  });

  test('T14: ect_ext may be nested 5 deep and not 6', () => {
    expect(reasonFor(makeToken({ ect_ext: { a: { b: [{ d: {} }] } } }))).toBe('VALID');
    expect(reasonFor(makeToken({ ect_ext: { a: { b: [{ d: { e: {} } }] } } }))).toBe('EXT_TOO_DEEP');
  });
});
