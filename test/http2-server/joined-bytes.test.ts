// Bytes that wait to be read: whatever the size of their parts, they are kept in a few blocks, each of them accounted for.

import { expect, test } from 'vitest';
import { JoinedBytes, releaseBytes } from '../../src/http2-server/index.ts';

function accounted(roomBytes = Number.POSITIVE_INFINITY, largestBytes?: number) {
  const seen = { bytes: 0, blocks: 0 };
  const memory = {
    reserveBody: (bytes: number) => {
      if (seen.bytes + bytes > roomBytes) return false;
      seen.bytes += bytes;
      seen.blocks++;
      return true;
    },
    freeBody: (bytes: number) => {
      seen.bytes -= bytes;
    },
  };
  return { seen, joined: new JoinedBytes(memory, largestBytes) };
}

test.each([1, 31, 32, 1000, 1024, 5000, 200_000])('parts of %i bytes are read as they came', (size) => {
  const { seen, joined } = accounted();
  const sent = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  for (let at = 0; at < sent.length; at += size) joined.add(sent.subarray(at, at + size));
  expect(joined.length).toBe(sent.length);
  expect(joined.head.subarray(0, 1024)).toEqual(sent.subarray(0, 1024));
  expect(seen.bytes).toBeLessThanOrEqual(2 * sent.length);
  expect(seen.blocks).toBeLessThan(20);
  expect(joined.read()).toEqual(sent);
});

test('what is taken is free again, and what is added meanwhile comes after it', () => {
  const { seen, joined } = accounted(Number.POSITIVE_INFINITY, 16_384);
  const sent = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
  const taken: Buffer[] = [];
  for (let at = 0; at < sent.length; at += 32) {
    joined.add(sent.subarray(at, at + 32));
    if (at % 4096 === 0) taken.push(joined.take()!);
  }
  for (let piece = joined.take(); piece !== undefined; piece = joined.take()) taken.push(piece);
  expect(Buffer.concat(taken)).toEqual(sent);
  expect([joined.length, seen.bytes]).toEqual([0, 0]);
});

test('a part without room is not kept, and everything is free after clear', () => {
  const { seen, joined } = accounted(4096);
  expect(joined.add(Buffer.alloc(3000))).toBe(true);
  expect(joined.add(Buffer.alloc(3000))).toBe(false);
  joined.clear();
  expect([joined.length, seen.bytes]).toEqual([0, 0]);
});

test('everything is free after clear also where it was read before', () => {
  const { seen, joined } = accounted();
  for (let at = 0; at < 1000; at++) joined.add(Buffer.alloc(7));
  joined.read();
  joined.clear();
  expect(seen.bytes).toBe(0);
});

test.each([
  ['clear', (joined: JoinedBytes) => joined.clear()],
  ['drop', (joined: JoinedBytes) => joined.drop()],
  ['read', (joined: JoinedBytes) => joined.read()],
])('H24: the memory of a large body is free at once after %s, without the garbage collector', (_when, end) => {
  const { joined } = accounted();
  for (let at = 0; at < 64; at++) joined.add(Buffer.alloc(1024, at));
  const block = joined.head;
  joined.add(Buffer.alloc(2 ** 20));
  expect(block.length).toBe(1024);
  end(joined);
  expect(block.length).toBe(0);
});

test('H24: bytes that are not a copy are never freed: other frames have arrived in the same buffer', () => {
  const read = Buffer.alloc(8192, 'x');
  for (const end of [(joined: JoinedBytes) => joined.drop(), (joined: JoinedBytes) => joined.clear()]) {
    const { joined } = accounted();
    joined.adopt(read.subarray(0, 4096));
    joined.add(Buffer.alloc(100_000));
    end(joined);
    expect(read.toString()).toBe('x'.repeat(8192));
  }
  releaseBytes(read);
  expect(read.length).toBe(8192);
});
