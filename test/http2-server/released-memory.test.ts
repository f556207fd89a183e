// The memory of a large chunk that a socket has read is free as soon as it has been parsed, and nothing that is kept was in it.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { writeFrame } from '../../bench/http2-frames.ts';
import { Body } from '../../src/http2-server/body.ts';
import { ByteBlock } from '../../src/http2-server/byte-block.ts';
import { FrameReader } from '../../src/http2-server/frame-reader.ts';
import { PREFACE } from '../../src/http2-server/frames.ts';
import { READ_AT_ONCE } from '../../src/http2-server/read-schedule.ts';
import {
  isInOwnedChunk,
  ownChunk,
  passOn,
  releaseChunk,
  releaseCopied,
} from '../../src/http2-server/released-memory.ts';
import { SocketReader } from '../../src/http2-server/socket-reader.ts';
import type { Stream } from '../../src/http2-server/stream.ts';
import { randomNumbers, SEED } from '../support/random.ts';

const LARGE = 64 * 1024;
const own = (bytes: number, content: string | number = 0) => Buffer.alloc(bytes, content);

test('only a large chunk with memory of its own is released, through whichever part of it', () => {
  const chunk = own(LARGE);
  ownChunk(chunk);
  const part = chunk.subarray(10, 20);
  expect(isInOwnedChunk(part)).toBe(true);
  releaseChunk(part);
  expect([chunk.length, part.length]).toEqual([0, 0]);

  const small = own(4 * 1024);
  const shared = own(2 * LARGE);
  const pooled = Buffer.from('a small buffer of the pool');
  for (const bytes of [small, shared.subarray(0, LARGE), pooled]) {
    ownChunk(bytes);
    releaseChunk(bytes);
  }
  expect([small.length, shared.length, pooled.toString()]).toEqual([4_096, 2 * LARGE, 'a small buffer of the pool']);
});

test('bytes that nobody registered are not released, whatever their size', () => {
  const chunk = own(LARGE);
  releaseChunk(chunk);
  expect(chunk.length).toBe(LARGE);
});

test('bytes that were copied are released if they are large and all of their memory', () => {
  const whole = own(LARGE);
  const shared = own(2 * LARGE);
  const small = own(4 * 1024);
  const pooled = Buffer.from('a small buffer of the pool');
  for (const bytes of [whole, shared.subarray(0, LARGE), shared.subarray(LARGE), small, pooled]) releaseCopied(bytes);
  expect([whole.length, shared.length, small.length]).toEqual([0, 2 * LARGE, 4_096]);
  expect(pooled.toString()).toBe('a small buffer of the pool');
});

test('what is passed on is the whole chunk, or a copy of a part of it: no release empties it', () => {
  const chunk = own(LARGE, 'x');
  ownChunk(chunk);
  const parts = [100, 10_000].map((bytes) => passOn(chunk.subarray(0, bytes)));
  releaseChunk(chunk);
  expect(chunk.length).toBe(0);
  expect(parts.map(String)).toEqual([100, 10_000].map((bytes) => 'x'.repeat(bytes)));

  const passed = own(LARGE, 'y');
  ownChunk(passed);
  const whole = passOn(passed);
  expect(whole.buffer).toBe(passed.buffer);
  releaseChunk(whole);
  expect(whole.length).toBe(LARGE);
});

test('chunks that wait are joined in a copy, and released', () => {
  const block = new ByteBlock();
  const chunks = [own(LARGE, 'a'), own(LARGE, 'b'), own(100, 'c')];
  for (const chunk of chunks) {
    ownChunk(chunk);
    block.add(chunk);
  }
  expect(chunks.map(({ length }) => length)).toEqual([0, 0, 100]);
  expect(block.take().toString()).toBe(`${'a'.repeat(LARGE)}${'b'.repeat(LARGE)}${'c'.repeat(100)}`);

  const dropped = own(LARGE);
  ownChunk(dropped);
  block.add(dropped);
  block.drop();
  expect([dropped.length, block.length]).toEqual([0, 0]);
});

test.each([
  [16 * 1024, 64 * 1024, false],
  [16 * 1024, 16 * 1024, false],
  [4 * 1024, 6 * 1024, true],
  [3 * 1024, 7 * 1024, false],
])('H24: a request of %i bytes in a chunk of %i is kept without a copy: %s', (bytes, chunkBytes, isView) => {
  const chunk = own(chunkBytes, 'x');
  const stream = { remoteEnded: true, reserveBody: () => true, freeBody: () => undefined, consumed: () => undefined };
  const body = new Body(stream as unknown as Stream);
  ownChunk(chunk);
  body.add(chunk.subarray(0, bytes));
  releaseChunk(chunk);
  const kept = body.take();
  expect(kept.toString()).toBe('x'.repeat(bytes));
  expect(kept.buffer === chunk.buffer).toBe(isView);
});

test('H24: the block of a frame that arrived in two chunks is released when the frame was passed on', () => {
  const payload = own(16_384, 'x');
  const bytes = Buffer.concat([PREFACE, writeFrame(0, 0, 1, payload)]);
  const frames: Buffer[] = [];
  const contents: string[] = [];
  const reader = new FrameReader(
    1_000,
    () => 0,
    (_type, _flags, _id, from, start, end) => {
      frames.push(from);
      contents.push(from.toString('latin1', start, end));
    },
  );
  reader.read(bytes.subarray(0, 10_000));
  reader.read(bytes.subarray(10_000));
  expect(contents).toEqual(['x'.repeat(16_384)]);
  expect(frames.map(({ length }) => length)).toEqual([0]);
});

test('H24: what a parser leaves is passed in again unchanged, and each large chunk is released when all of it was parsed', async () => {
  const random = randomNumbers(SEED);
  const sent = Buffer.from(Array.from({ length: 4 << 20 }, (_, at) => (at * 7 + (at >> 8)) & 0xff));
  const chunks: Buffer[] = [];
  let reader: SocketReader | undefined;
  const parsed: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.subarray(0)));
    reader = new SocketReader(socket, READ_AT_ONCE, {
      parse: (bytes) => {
        // Some or all of it; and at most once more nothing, as when only requests wait.
        const count = random() < 0.5 ? bytes.length : Math.floor(random() * (bytes.length + 1));
        parsed.push(Buffer.from(bytes.subarray(0, count)));
        if (count < bytes.length) reader!.defer(bytes.subarray(count));
      },
      onFragments: () => undefined,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.end(sent);
  await expect.poll(() => parsed.reduce((sum, { length }) => sum + length, 0)).toBe(sent.length);
  client.destroy();
  server.close();
  expect(Buffer.concat(parsed).equals(sent)).toBe(true);
  // A view of a chunk is empty if its memory is free.
  expect(chunks.filter(({ buffer }) => buffer.byteLength >= 8 * 1024)).toEqual([]);
});
