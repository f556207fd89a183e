import { describe, expect, test } from 'vitest';
import { writeHeaderBlock } from '../../src/http2-server/header-writer.ts';
import { HpackDecoder, HpackError, TABLE_BYTES } from '../../src/http2-server/hpack.ts';
import { fc } from '../support/random.ts';

const LIMIT = 16_384;
const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const decode = (decoder: HpackDecoder, hex: string) => pairs(decoder.decode(bytes(hex)));

function pairs(list: readonly string[]): string[] {
  return list.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${list[at + 1]}`] : []));
}

const GET = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const HTTPS = [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com'];

describe('the examples of RFC 7541, appendix C', () => {
  test.each([
    [
      'C.2.1 a literal that is remembered',
      '400a637573746f6d2d6b65790d637573746f6d2d686561646572',
      'custom-key: custom-header',
    ],
    ['C.2.2 a literal that is not remembered', '040c2f73616d706c652f70617468', ':path: /sample/path'],
    ['C.2.3 a literal that is never remembered', '100870617373776f726406736563726574', 'password: secret'],
    ['C.2.4 a number', '82', ':method: GET'],
  ])('%s', (_title, hex, field) => {
    expect(decode(new HpackDecoder(LIMIT), hex)).toEqual([field]);
  });

  test.each([
    [
      'C.3 plain',
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
    [
      'C.4 in the Huffman code',
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
  ])('%s: three requests on one connection', (_title, first, second, third) => {
    const decoder = new HpackDecoder(LIMIT);
    expect(decode(decoder, first)).toEqual(GET);
    expect(decode(decoder, second)).toEqual([...GET, 'cache-control: no-cache']);
    expect(decode(decoder, third)).toEqual([...HTTPS, 'custom-key: custom-value']);
  });

  // The examples have a table of 256 bytes; the first block begins by saying so.
  test.each([
    [
      'C.5 plain',
      '3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '4803 3330 37c1 c0bf',
      '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
    ],
    [
      'C.6 in the Huffman code',
      '3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      '4883 640e ffc1 c0bf',
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    ],
  ])('%s: three responses, which push each other out of the table', (_title, first, second, third) => {
    const decoder = new HpackDecoder(LIMIT);
    const rest = ['cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'];
    expect(decode(decoder, first)).toEqual([':status: 302', ...rest]);
    expect(decode(decoder, second)).toEqual([':status: 307', ...rest]);
    expect(decode(decoder, third)).toEqual([
      ':status: 200',
      'cache-control: private',
      'date: Mon, 21 Oct 2013 20:13:22 GMT',
      'location: https://www.example.com',
      'content-encoding: gzip',
      'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ]);
  });
});

describe('H10: a block that cannot be decoded', () => {
  test.each([
    ['an index of zero', '80'],
    ['an index beyond both tables', 'be'],
    ['a name beyond both tables', '7e0161'],
    ['an integer without an end', 'ffffffffffffffffffff'],
    ['an integer that is cut off', 'ff'],
    ['a text that is longer than the block', '000561'],
    ['a text of four gigabytes', '007fffffffff0f'],
    ['a padding of eight bits', '0082ffff0161'],
    ['a padding that is not ones', '00810001 61'],
    ['an end of string within a text', '0084ffffffff0161'],
    ['a table that is larger than announced', '3fe220'],
    ['a table that changes after a field', '8220'],
  ])('%s', (_title, hex) => {
    expect(() => new HpackDecoder(LIMIT).decode(bytes(hex))).toThrow(HpackError);
  });

  test('random bytes are a list or an HpackError, and a list is never larger than its limit', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }), (blocks) => {
        const decoder = new HpackDecoder(1024);
        try {
          for (const block of blocks) {
            const list = decoder.decode(Buffer.from(block));
            expect(list.join('').length + 16 * list.length).toBeLessThanOrEqual(1024);
          }
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(HpackError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('H10: what a list may hold is bounded', () => {
  test('a large entry that is named again and again with one byte each', () => {
    const decoder = new HpackDecoder(LIMIT);
    const large = Buffer.concat([bytes('40 01 61 7f e1 1e'), Buffer.alloc(4000 - 32, 'x')]);
    decoder.decode(large.subarray(0, 0));
    const value = Buffer.alloc(3900, 'x');
    const entry = Buffer.concat([bytes('400161'), Buffer.from([0x7f, 0xbd, 0x1d]), value]);
    expect(decoder.decode(entry)).toEqual(['a', value.toString()]);
    const list = decoder.decode(Buffer.alloc(10_000, 0xbe));
    expect(list.length).toBe(2 * Math.floor(LIMIT / (3900 + 1 + 32)));
    expect(decoder.listBytes).toBe(10_000 * (3900 + 1 + 32));
  });

  test('the table follows also what is left out of the list', () => {
    const decoder = new HpackDecoder(64);
    expect(decode(decoder, '400161 0162 4001630164')).toEqual(['a: b']);
    expect(decode(decoder, 'be')).toEqual(['c: d']);
  });

  test('the table itself: old entries leave, one that is too large empties it', () => {
    const decoder = new HpackDecoder(LIMIT);
    const entry = (name: string, length: number) => {
      const rest = length - 127;
      return Buffer.concat([
        Buffer.from([0x40, 1, name.charCodeAt(0), 0x7f, 0x80 | (rest & 127), rest >> 7]),
        Buffer.alloc(length, 'x'),
      ]);
    };
    decoder.decode(entry('a', 2000));
    decoder.decode(entry('b', 2000));
    expect(decoder.decode(bytes('bf'))[0]).toBe('a');
    decoder.decode(entry('c', 2000));
    expect(decoder.decode(bytes('bf'))[0]).toBe('b');
    expect(() => decoder.decode(bytes('c0'))).toThrow(HpackError);
    decoder.decode(entry('d', TABLE_BYTES));
    expect(() => decoder.decode(bytes('be'))).toThrow(HpackError);
  });
});

test('what our writer writes, the reader reads, and its table stays empty', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);
  const value = fc.stringMatching(/^[\x21-\x7e]{0,300}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (fields) => {
      const decoder = new HpackDecoder(2 ** 20);
      const known = [[':status', '200'] as const, ['content-type', 'application/grpc'] as const];
      const all = [...known, ...fields];
      expect(decoder.decode(writeHeaderBlock(all))).toEqual(all.flat());
      expect(decoder.version).toBe(0);
    }),
  );
});
