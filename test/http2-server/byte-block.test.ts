// Bytes that arrive one by one: each is copied a few times at most, however many wait already.

import { expect, test } from 'vitest';
import { writeFrame } from '../../bench/http2-frames.ts';
import { ByteBlock } from '../../src/http2-server/byte-block.ts';
import { FrameReader } from '../../src/http2-server/frame-reader.ts';
import { PREFACE } from '../../src/http2-server/frames.ts';

test('H46: 16 KiB that arrive byte by byte are copied to a larger block less than twelve times', () => {
  const block = new ByteBlock();
  const bytes = Buffer.from(Array.from({ length: 16_384 }, (_, at) => at & 255));
  let last = block.bytes;
  let grown = 0;
  for (let at = 0; at < bytes.length; at++) {
    block.append(bytes, at, at + 1);
    const now = block.bytes;
    if (now.buffer !== last.buffer || now.byteOffset !== last.byteOffset) grown++;
    last = now;
  }
  expect(block.take().equals(bytes)).toBe(true);
  expect(grown).toBeLessThan(12);
  expect(block.length).toBe(0);
});

test('the first piece is kept without a copy, and is not changed when others follow', () => {
  const block = new ByteBlock();
  const first = Buffer.from('first');
  block.borrow(first);
  expect(block.bytes.buffer).toBe(first.buffer);
  block.append(Buffer.from(' second'));
  expect(block.take().toString()).toBe('first second');
  expect(first.toString()).toBe('first');
});

test.each([1, 2, 7, 9, 10, 24, 25, 100, 20_000])('frames in pieces of %i bytes are the same frames', (size) => {
  const payloads = [0, 1, 8, 300, 16_384, 5].map((length) => Buffer.alloc(length, length));
  const bytes = Buffer.concat([PREFACE, ...payloads.map((payload, at) => writeFrame(at, at, at, payload))]);
  const frames: [number, number, number, Buffer][] = [];
  const reader = new FrameReader(
    1_000,
    () => 0,
    (type, flags, id, from, start, end) => void frames.push([type, flags, id, Buffer.from(from.subarray(start, end))]),
  );
  for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size));
  expect(reader.isPartial).toBe(false);
  expect(frames).toEqual(payloads.map((payload, at) => [at, at, at, payload]));
});
