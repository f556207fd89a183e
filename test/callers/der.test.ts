import { describe, expect, test } from 'vitest';
import { DerError, readAll, readAscii, readBits, readBoolean, readOnly, readTime, TAG } from '../../src/callers/der.ts';
import { element } from '../support/certificates.ts';

const bytes = (...octets: number[]): Uint8Array => Uint8Array.from(octets);

describe('the reader of DER', () => {
  test('elements stand one after another, with short and long lengths', () => {
    const long = element(0x04, Buffer.alloc(300, 7));
    const elements = readAll(Buffer.concat([element(0x02, bytes(1)), long]));
    expect(elements.map(({ tag, content }) => [tag, content.length])).toEqual([
      [2, 1],
      [4, 300],
    ]);
  });

  test.each([
    ['an element without a length', bytes(0x30)],
    ['a length over what is left', bytes(0x30, 2, 0)],
    ['an indefinite length', bytes(0x30, 0x80, 0, 0)],
    ['a long form where the short one does', bytes(0x04, 0x81, 0x01, 7)],
    ['a long form with a leading zero', Buffer.concat([bytes(0x04, 0x82, 0x00, 0x80), Buffer.alloc(128)])],
    ['a length of 4 GB', bytes(0x04, 0x84, 0xff, 0xff, 0xff, 0xff)],
    ['a tag over 30', bytes(0x1f, 0x81, 0x01, 0)],
  ])('A2: %s is rejected', (_title, input) => {
    expect(() => readAll(input)).toThrow(DerError);
  });

  test('exactly one element of the right tag', () => {
    expect(readOnly(bytes(0x02, 1, 5), TAG.integer)).toEqual(bytes(5));
    for (const input of [bytes(), bytes(0x04, 1, 5), bytes(2, 1, 5, 2, 1, 5)]) {
      expect(() => readOnly(input, TAG.integer)).toThrow(DerError);
    }
  });

  test('booleans and bit strings only in the one spelling that DER allows', () => {
    expect([readBoolean(bytes(0xff)), readBoolean(bytes(0))]).toEqual([true, false]);
    expect(readBits(bytes(5, 0b10100000))).toEqual([true, false, true]);
    expect(readBits(bytes(0))).toEqual([]);
    for (const input of [bytes(), bytes(1), bytes(0, 0)]) expect(() => readBoolean(input)).toThrow(DerError);
    for (const input of [bytes(), bytes(8, 0), bytes(1), bytes(5, 0b10100001)])
      expect(() => readBits(input)).toThrow(DerError);
  });

  test('text is ASCII', () => {
    expect(readAscii(Buffer.from('spiffe://a/b'))).toBe('spiffe://a/b');
    expect(() => readAscii(Buffer.from('spiffe://ä/b'))).toThrow(DerError);
  });

  test.each([
    [TAG.utcTime, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    [TAG.utcTime, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    [TAG.generalizedTime, '20500101000000Z', '2050-01-01T00:00:00.000Z'],
  ])('tag %d "%s" is %s', (tag, text, iso) => {
    expect(new Date(readTime({ tag, content: Buffer.from(text) })).toISOString()).toBe(iso);
  });

  test.each([
    [TAG.utcTime, '4912312359Z'],
    [TAG.utcTime, '491231235959+0100'],
    [TAG.generalizedTime, '20500101000000.5Z'],
    [TAG.generalizedTime, '20501301000000Z'],
    [TAG.octetString, '491231235959Z'],
  ])('tag %d "%s" is no time', (tag, text) => {
    expect(() => readTime({ tag, content: Buffer.from(text) })).toThrow(DerError);
  });
});
