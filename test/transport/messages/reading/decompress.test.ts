// A compressed request is one gzip member, is judged by the size that it announces, and costs what it may cost.

import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EctError } from '../../../../src/errors.ts';
import { announcedSize, decompress } from '../../../../src/transport/messages/reading/decompress.ts';

const MAX = 4 * 1024 * 1024;
const TEXT = Buffer.from('{"execAct":"review_spec"}');

/** The message in these bytes, whose announced size is checked first. */
async function read(encoding: string, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const size = announcedSize(encoding, bytes, maxBytes);
  const message = await decompress(encoding, bytes);
  expect(message).toHaveLength(size);
  return message;
}

async function reasonOf(bytes: Buffer, maxBytes = MAX, encoding = 'gzip'): Promise<string> {
  const error = await read(encoding, bytes, maxBytes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EctError);
  return (error as EctError).reason;
}

/** A member with these flags, what they announce, and what its trailer says. */
function member(
  content: Buffer,
  { flags = 0, extra = Buffer.alloc(0), size = content.length, sum = crc32(content) } = {},
): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(sum, 0);
  trailer.writeUInt32LE(size, 4);
  return Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]),
    extra,
    deflateRawSync(content),
    trailer,
  ]);
}

describe('what is read', () => {
  test.each([
    ['one member', gzipSync(TEXT)],
    ['a member without compression', gzipSync(TEXT, { level: constants.Z_NO_COMPRESSION })],
    ['a member with a name', member(TEXT, { flags: 8, extra: Buffer.from('request.json\0') })],
    [
      'a member with everything',
      member(TEXT, { flags: 31, extra: Buffer.from('\x02\0abname\0comment\0\0\0', 'latin1') }),
    ],
  ])('%s', async (_, bytes) => expect(await read('gzip', bytes, MAX)).toEqual(TEXT));

  test('an empty message, and a message of exactly the limit', async () => {
    expect(await read('gzip', gzipSync(Buffer.alloc(0)), MAX)).toEqual(Buffer.alloc(0));
    expect(await read('gzip', gzipSync(TEXT), TEXT.length)).toEqual(TEXT);
    expect(await reasonOf(gzipSync(TEXT), TEXT.length - 1)).toBe('MESSAGE_TOO_LARGE');
  });

  test('what is not compressed, within the limit', async () => {
    expect(await read('identity', TEXT, TEXT.length)).toEqual(TEXT);
    expect(await reasonOf(TEXT, TEXT.length - 1, 'identity')).toBe('MESSAGE_TOO_LARGE');
    expect(await reasonOf(TEXT, MAX, 'br')).toBe('REQUEST_MALFORMED');
  });
});

describe('H11: rejected as malformed', () => {
  test.each<[string, Buffer]>([
    ['two members', Buffer.concat([gzipSync(TEXT), gzipSync(TEXT)])],
    ['an empty member before it', Buffer.concat([gzipSync(''), gzipSync(TEXT)])],
    ['an empty member after it', Buffer.concat([gzipSync(TEXT), gzipSync('')])],
    ['garbage after it', Buffer.concat([gzipSync(TEXT), Buffer.from('garbage\0\0\0')])],
    ['garbage that announces its size', Buffer.concat([gzipSync(TEXT), gzipSync(TEXT).subarray(-8)])],
    ['zeros after it', Buffer.concat([gzipSync(TEXT), Buffer.alloc(8)])],
    ['a smaller size than it has', member(TEXT, { size: TEXT.length - 1 })],
    ['a size of 0', member(TEXT, { size: 0 })],
    ['a larger size than it has', member(TEXT, { size: TEXT.length + 1 })],
    ['another checksum', member(TEXT, { sum: 1 })],
    ['unknown flags', member(TEXT, { flags: 0x20 })],
    ['a name that does not end', member(TEXT, { flags: 8 }).fill(1, 10)],
    ['another method', Buffer.from(gzipSync(TEXT)).fill(9, 2, 3)],
    ['no gzip at all', TEXT],
    ['nothing', Buffer.alloc(0)],
    ['a header alone', gzipSync(TEXT).subarray(0, 10)],
  ])('%s', async (_, bytes) => expect(await reasonOf(bytes)).toBe('REQUEST_MALFORMED'));

  test('each beginning of a member, without INTERNAL', async () => {
    const whole = gzipSync(Buffer.from('some text '.repeat(20)));
    for (let end = 0; end < whole.length; end++) {
      expect(await reasonOf(whole.subarray(0, end))).toMatch(/^(REQUEST_MALFORMED|MESSAGE_TOO_LARGE)$/);
    }
  });
});

describe('H22: rejected as too large, without being written', () => {
  test.each<[string, Buffer]>([
    ['1 GiB announced', member(TEXT, { size: 2 ** 30 })],
    ['more than 200 times its size', gzipSync(Buffer.alloc(1024 * 1024))],
    ['4 KiB of gzip that unpack to 4 MiB', gzipSync(Buffer.alloc(MAX))],
  ])('%s', async (_, bytes) => expect(await reasonOf(bytes)).toBe('MESSAGE_TOO_LARGE'));

  test('a bomb that announces little is stopped there', async () => {
    expect(await reasonOf(member(Buffer.alloc(64 * 1024 * 1024), { size: 1000 }))).toBe('REQUEST_MALFORMED');
  });

  test('up to 256 KiB the ratio does not matter, and a batch of equal items is far below it', async () => {
    expect(await read('gzip', gzipSync(Buffer.alloc(256 * 1024)), MAX)).toHaveLength(256 * 1024);
    const note = Array.from({ length: 60 }, (_, i) => [
      `org.example.${i}`,
      `a value that is a sentence, number ${i * 7919}`,
    ]);
    const request = { execAct: 'review_spec', aud: ['spiffe://example.com/b'], ectExt: Object.fromEntries(note) };
    const items = Array.from({ length: 1000 }, (_, i) => ({ reference: String(i), request }));
    const batch = Buffer.from(JSON.stringify({ items }));
    const compressed = gzipSync(batch, { level: 9 });
    console.info(`a batch of ${batch.length} bytes is ${(batch.length / compressed.length).toFixed(0)} times its gzip`);
    expect(await read('gzip', compressed, MAX)).toEqual(batch);
  });
});

test('H24 H26: of many large messages four are decompressed at once; one whose call ends while it waits is not', async () => {
  const large = Buffer.alloc(200 * 1024);
  const compressed = gzipSync(large);
  const ended = new AbortController();
  const messages = Array.from({ length: 12 }, (_, at) =>
    decompress('gzip', compressed, at % 2 === 0 ? ended.signal : undefined),
  );
  const small = decompress('gzip', gzipSync(TEXT), ended.signal);
  const reason = new Error('the call has ended');
  ended.abort(reason);
  const results = await Promise.allSettled(messages);
  expect(results.map(({ status }) => status === 'fulfilled')).toEqual(results.map((_, at) => at < 4 || at % 2 === 1));
  expect(results[4]).toEqual({ status: 'rejected', reason });
  expect(await small).toEqual(TEXT);
  // Each has made room for the next one.
  await expect(Promise.all(Array.from({ length: 12 }, () => decompress('gzip', compressed)))).resolves.toHaveLength(12);
});
