import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { TOKEN_STEPS, type VerifyOptions, verifyToken } from '../../src/token/index.ts';
import {
  AUD,
  encode,
  header,
  ISS,
  JTI,
  KID,
  keys,
  makeToken,
  NOW,
  OTHER_JTI,
  payload,
  policy,
  signingKey,
  signParts,
  trust,
} from '../support/tokens.ts';

function verdictOn(token: string, question: Partial<VerifyOptions> = {}, ring = keys) {
  return verifyToken(token, { now: NOW, audience: AUD, purpose: 'presented', ...question }, policy, ring);
}

function reasonFor(token: string, question: Partial<VerifyOptions> = {}, ring = keys): string {
  const verdict = verdictOn(token, question, ring);
  return verdict.ok ? 'VALID' : verdict.rejection.reason;
}

function claimAt(token: string): string | undefined {
  const verdict = verdictOn(token);
  return verdict.ok ? undefined : verdict.rejection.metadata['claim'];
}

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

describe('form', () => {
  test('T15: a token at the cap is read, one byte more is rejected before it is parsed', () => {
    expect(reasonFor('a'.repeat(16_384))).toBe('TOKEN_MALFORMED');
    expect(reasonFor('a'.repeat(16_385))).toBe('TOKEN_TOO_LARGE');
    expect(reasonFor('.'.repeat(5_000_000))).toBe('TOKEN_TOO_LARGE');
  });

  const [first, second, third] = makeToken().split('.') as [string, string, string];
  test.each([
    ['one part', 'LEVEL_TOO_LOW', first],
    ['two parts', 'TOKEN_MALFORMED', `${first}.${second}`],
    ['four parts', 'TOKEN_MALFORMED', `${first}.${second}.${third}.${third}`],
    ['five parts', 'TOKEN_MALFORMED', `${first}.${second}.${third}.a.b`],
    ['empty parts', 'TOKEN_MALFORMED', '..'],
    ['an empty header', 'TOKEN_MALFORMED', `.${second}.${third}`],
    ['an empty payload', 'TOKEN_MALFORMED', `${first}..${third}`],
    ['padding after the signature', 'TOKEN_MALFORMED', `${first}.${second}.${third}==`],
    ['padding after the header', 'TOKEN_MALFORMED', `${first}=.${second}.${third}`],
    ['a blank before', 'TOKEN_MALFORMED', ` ${first}.${second}.${third}`],
    ['a line feed after', 'TOKEN_MALFORMED', `${first}.${second}.${third}\n`],
    ['a tab inside', 'TOKEN_MALFORMED', `${first}.${second.slice(0, 9)}\t${second.slice(9)}.${third}`],
    ['NUL inside', 'TOKEN_MALFORMED', `${first}.${second.slice(0, 9)}\0${second.slice(9)}.${third}`],
    ['a letter that only looks Latin', 'TOKEN_MALFORMED', `${first.replace(/e/, 'е')}.${second}.${third}`],
    [
      'the standard alphabet',
      'TOKEN_MALFORMED',
      `${first}.${encode({ a: '???>>>' }).replaceAll('_', '/').replaceAll('-', '+')}.${third}`,
    ],
    [
      'JSON serialization',
      'LEVEL_TOO_LOW',
      JSON.stringify({ payload: second, protected: first, signature: third }).replaceAll('.', ''),
    ],
  ])('T10, T11: a token with %s is rejected: %s', (_, reason, token) => {
    expect(reasonFor(token)).toBe(reason);
  });

  test('T10: the 15 other spellings of the last signature character are malformed', () => {
    const token = makeToken();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1)!);
    for (let bits = 1; bits < 16; bits++) {
      const twin = `${token.slice(0, -1)}${alphabet[last ^ bits]}`;
      expect(Buffer.from(twin.split('.')[2]!, 'base64url').equals(Buffer.from(token.split('.')[2]!, 'base64url'))).toBe(
        true,
      );
      expect(reasonFor(twin)).toBe('TOKEN_MALFORMED');
    }
  });

  test.each([
    ['a duplicate claim', `{"iss":"${ISS}","iss":"${ISS}"}`],
    ['a duplicate claim in escaped spelling', `{"iss":"${ISS}","\\u0069ss":"${ISS}"}`],
    ['a duplicate inside ect_ext', '{"ect_ext":{"a":1,"b":{"c":1,"c":2}}}'],
    ['an array', '[]'],
    ['a text', '"x"'],
    ['a byte order mark', '\uFEFF{}'],
    ['trailing text', '{} x'],
    ['a comment', '{/**/}'],
    ['NaN', '{"a":NaN}'],
    ['single quotes', "{'a':1}"],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['NUL', '{"a":"\\u0000"}'],
    ['a raw control character', '{"a":"\u0001"}'],
    ['33 levels', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`],
    ['1,000 levels', `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`],
    ['a number out of range in ect_ext', '{"ect_ext":{"a":1e400}}'],
    ['an unfinished member', '{"a"'],
    ['a trailing comma', '{"a":1,}'],
  ])('T12, T13, T14: a payload with %s is malformed', (_, text) => {
    expect(reasonFor(signParts(header, text))).toBe('TOKEN_MALFORMED');
  });

  test.each([
    ['overlong UTF-8', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
    ['encoded surrogate halves', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
  ])('T13: a payload in %s is malformed', (_, bytes) => {
    expect(reasonFor(signParts(header, bytes))).toBe('TOKEN_MALFORMED');
  });

  /** One member twice with the same value, so that nothing else is wrong whichever of the two is read. */
  function twice(object: object, name: string, how: 'adjacent' | 'far apart' | 'escaped'): string {
    const members = Object.entries(object).map(
      ([member, value]) => `${JSON.stringify(member)}:${JSON.stringify(value)}`,
    );
    const own = members.findIndex((member) => member.startsWith(`"${name}":`));
    const spelled =
      how === 'escaped'
        ? members[own]!.replace(`"${name[0]}`, `"\\u00${name.charCodeAt(0).toString(16)}`)
        : members[own]!;
    members.splice(how === 'adjacent' ? own + 1 : own < members.length / 2 ? members.length : 0, 0, spelled);
    return `{${members.join(',')}}`;
  }
  const ways = ['adjacent', 'far apart', 'escaped'] as const;
  const claimed = { ...payload, wid: OTHER_JTI, ect_ext: { a: 1 } };
  const claimsTwice = Object.keys(claimed).flatMap((name) => ways.map((way) => ['claim', name, way] as const));
  const membersTwice = Object.keys(header).flatMap((name) => ways.map((way) => ['header member', name, way] as const));

  test.each([...claimsTwice, ...membersTwice])('T12: the %s %s twice, %s, is malformed', (kind, name, way) => {
    const token =
      kind === 'claim' ? signParts(header, twice(claimed, name, way)) : signParts(twice(header, name, way), claimed);
    expect(verdictOn(token)).toMatchObject({
      ok: false,
      rejection: { reason: 'TOKEN_MALFORMED', message: expect.stringContaining('it has a duplicate member') },
    });
    // Without the second one the token is good.
    expect(reasonFor(signParts(header, claimed))).toBe('VALID');
  });

  test('T12: a member of two values is malformed, at any depth', () => {
    for (const text of [
      `{"alg":"none","alg":"ES256","typ":"exec+jwt","kid":"${KID}"}`,
      `{"alg":"ES256","typ":"exec+jwt","kid":"${KID}","x":{"y":[{"z":1,"z":2}]}}`,
    ]) {
      expect(reasonFor(signParts(text, payload))).toBe('TOKEN_MALFORMED');
    }
    const ext = (text: string) => signParts(header, JSON.stringify({ ...payload, ect_ext: '@' }).replace('"@"', text));
    expect(reasonFor(ext('{"a":{"b":1}}'))).toBe('VALID');
    expect(reasonFor(ext('{"a":{"b":1,"b":1}}'))).toBe('TOKEN_MALFORMED');
    expect(reasonFor(ext('{"a":[{"b":1,"\\u0062":1}]}'))).toBe('TOKEN_MALFORMED');
  });
});

describe('level', () => {
  test('an unsigned object is below the minimum, as JSON and as base64url', () => {
    expect(reasonFor(JSON.stringify({ iss: 'a' }))).toBe('LEVEL_TOO_LOW');
    expect(reasonFor(encode({ iss: 'a' }))).toBe('LEVEL_TOO_LOW');
  });

  test('what has two dots never falls back to an unsigned object', () => {
    expect(reasonFor('{"a":"x.y.z"}')).toBe('TOKEN_MALFORMED');
  });
});

describe('header', () => {
  test.each([undefined, 'JWT', 'exec+jws', 'EXEC+JWT', 'application/exec+jwt', ' exec+jwt', 'еxec+jwt', 7, null])(
    'T6, T21: typ %s is rejected',
    (typ) => {
      expect(reasonFor(makeToken({}, { typ }))).toBe('TYP_INVALID');
    },
  );

  test.each<readonly [member: string, value: unknown]>([
    ['crit', []],
    ['crit', ['exp']],
    ['b64', false],
    ['jwk', { kty: 'EC' }],
    ['jku', 'http://127.0.0.1/keys'],
    ['x5c', []],
    ['x5u', 'http://127.0.0.1/cert'],
    ['x5t', 'x'],
    ['x5t#S256', 'x'],
    ['zip', 'DEF'],
    ['cty', 'JWT'],
    ['trust_chain', []],
    ...['enc', 'epk', 'apu', 'apv', 'iv', 'tag', 'p2s', 'p2c'].map((member) => [member, 'x'] as const),
    // Claims that a header repeats are those of the payload (RFC 7519, 5.3).
    ['iss', 'urn:other'],
    ['sub', 'urn:other'],
    ['aud', AUD],
  ])('T4, T5: %s is forbidden', (member, value) => {
    const verdict = verdictOn(makeToken({}, { [member]: value }));
    expect(verdict).toMatchObject({ ok: false, rejection: { reason: 'HEADER_FORBIDDEN', metadata: { member } } });
  });

  test('a header may repeat claims as they are', () => {
    expect(reasonFor(makeToken({ sub: 'x' }, { iss: ISS, sub: 'x', aud: [AUD] }))).toBe('VALID');
  });

  test.each([
    'none',
    'None',
    'NONE',
    '',
    undefined,
    null,
    1,
    ['ES256'],
    'HS256',
    'HS512',
    'ES384',
    'ES256K',
    'EdDSA',
    'RS256',
  ])('T1, T2, T3: alg %s is not allowed', (alg) => {
    expect(reasonFor(makeToken({}, { alg }))).toBe('ALG_NOT_ALLOWED');
  });

  test.each([undefined, '', 7, null, 'x'.repeat(257)])('T7: kid %s is missing', (kid) => {
    expect(reasonFor(makeToken({}, { kid }))).toBe('KID_MISSING');
  });

  test.each(['../key', "' OR 1=1", 'a\0b', 'a\nb', '__proto__', 'constructor', 'toString'])(
    'T7, T22: kid %j is unknown',
    (kid) => {
      const reason = reasonFor(makeToken({}, { kid }));
      expect(kid.includes('\0') ? 'TOKEN_MALFORMED' : 'KEY_UNKNOWN').toBe(reason);
    },
  );
});

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

  test('T20: two issuers with keys of one name are told apart by iss', () => {
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
