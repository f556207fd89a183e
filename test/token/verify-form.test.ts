// Verification, up to the key: the form of a token, its level, and its header.

import { describe, expect, test } from 'vitest';
import { AUD, encode, header, ISS, KID, makeToken, OTHER_JTI, payload, signParts } from '../support/tokens.ts';
import { reasonFor, verdictOn } from './verdict.ts';

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
