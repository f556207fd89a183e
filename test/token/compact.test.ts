import { describe, expect, test } from 'vitest';
import { decodeBase64url, looksCompact, readCompact } from '../../src/token/compact.ts';
import { encode, header, makeToken, payload } from '../support/tokens.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function faultIn(token: string): string {
  const read = readCompact(token);
  return read.ok ? 'none' : read.fault;
}

describe('T10: base64url has one spelling for each octet string', () => {
  test.each([0, 1, 2, 3])('of every text of %d characters exactly the canonical ones are read', (length) => {
    const texts = Array.from({ length }).reduce<string[]>(
      (shorter) => shorter.flatMap((text) => ALPHABET.split('').map((last) => text + last)),
      [''],
    );
    const read = texts.filter((text) => decodeBase64url(text) !== undefined);
    // No octets; none of one character; 256 of one octet; 65,536 of two.
    expect(read).toHaveLength([1, 0, 256, 65_536][length]!);
    for (const text of read) expect(encode(decodeBase64url(text))).toBe(text);
  });

  test.each(['QQ==', 'QQ=', 'Q Q', 'QQ\n', '\tQQ', 'QU+/', 'QU/+', 'QQ\0', 'QQ.', 'QQé', 'ＱＱ'])(
    '%j is not read',
    (text) => {
      expect(decodeBase64url(text)).toBeUndefined();
    },
  );
});

describe('the parts of a token', () => {
  test('come out as they went in, with the octets that are signed', () => {
    const token = makeToken();
    const read = readCompact(token);
    expect(read).toMatchObject({ ok: true, parts: { header, payload, oddNumbers: [] } });
    if (!read.ok) return;
    const at = token.lastIndexOf('.');
    expect(read.parts.signingInput.toString('latin1')).toBe(token.slice(0, at));
    expect(encode(read.parts.signature)).toBe(token.slice(at + 1));
  });

  test.each([
    ['it does not have three parts', ''],
    ['it does not have three parts', 'e30.e30'],
    ['it does not have three parts', 'e30.e30.AA.AA'],
    ['a part is not canonical base64url', 'e30=.e30.AA'],
    ['a part is not canonical base64url', 'e30.e30 .AA'],
    ['a part is not canonical base64url', 'e30.e30.AB'],
    ['the header is not strict JSON: it is not an object', '.e30.AA'],
    ['the header is not strict JSON: it is not UTF-8', `${encode(Buffer.from([0xff]))}.e30.AA`],
    ['the payload is not strict JSON: it is not UTF-8', `e30.${encode(Buffer.from([0x7b, 0xc0, 0x80, 0x7d]))}.AA`],
    ['the payload is not strict JSON: it has a duplicate member', `e30.${encode('{"a":1,"a":2}')}.AA`],
  ])('%s: %s', (fault, token) => {
    expect(faultIn(token)).toBe(fault);
  });

  test('an empty signature is a matter of the signature, not of the form', () => {
    expect(faultIn('e30.e30.')).toBe('none');
  });
});

describe('what a text looks like', () => {
  test.each([
    ['..', true],
    ['a.b.c', true],
    ['{"a":"x.y.z"}', true],
    ['', false],
    ['.', false],
    ['a.b', false],
    ['...', false],
  ])('%j has the outer form of a signed token: %s', (text, answer) => {
    expect(looksCompact(text)).toBe(answer);
  });
});
