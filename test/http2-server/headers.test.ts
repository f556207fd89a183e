// Lists of headers that are large, or that become large when they are read.

import { describe, expect, test } from 'vitest';
import { FLAG, FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { answered, begin, CODE, CONTINUATION, data, end, requestBlock, resets, whole } from './raw-frames.ts';
import { openPeer, startServer } from './raw-peer.ts';

describe('H6: headers', () => {
  const block = (bytes: number) => requestBlock(['x-large', 'x'.repeat(bytes)]);
  const inFrames = (bytes: Buffer, id = 1) => {
    const parts = Array.from({ length: Math.ceil(bytes.length / 16_384) }, (_, at) =>
      bytes.subarray(at * 16_384, (at + 1) * 16_384),
    );
    return parts.map((part, at) => {
      const ends = at === parts.length - 1 ? FLAG.endHeaders : 0;
      return writeFrame(at === 0 ? FRAME.headers : CONTINUATION, at === 0 ? ends | FLAG.endStream : ends, id, part);
    });
  };

  test.each([
    [15_000, false],
    [20_000, true],
    [40_000, true],
    [130_000, true],
  ])('of %d bytes reach the handler, with a flag if they are too large', async (bytes, isTooLarge) => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(...inFrames(block(bytes)));
    await peer.settled();
    expect(server.streams.map(({ head }) => head.isTooLarge)).toEqual([isTooLarge]);
  });

  test('too large on one stream: its neighbours are answered, and the tables of both sides stay in step', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    const remembered = Buffer.concat([Buffer.from([0x40, 1, 0x61, 3]), Buffer.from('one')]);
    peer.send(begin(1), ...inFrames(Buffer.concat([block(100_000), remembered]), 3));
    peer.send(whole(5, Buffer.concat([requestBlock(), Buffer.from([0xbe])])), end(1, 'x'));
    await peer.settled();
    expect([answered(peer, 1), answered(peer, 5)]).toEqual([true, true]);
    expect(server.streams.map(({ head }) => head.isTooLarge)).toEqual([false, true, false]);
    expect(server.streams[2]!.head.list.slice(-2)).toEqual(['a', 'one']);
  });

  test('of which the first fields fill the list: what protocol the request speaks is still known, once', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    const types = Array.from({ length: 50 }, (_, at): [string, string] => ['content-type', `application/x${at}`]);
    peer.send(...inFrames(requestBlock(...fill(300), ...types)));
    await peer.settled();
    const { list, isTooLarge } = server.streams[0]!.head;
    expect([isTooLarge, list.filter((name) => name === 'content-type')]).toEqual([true, ['content-type']]);
    expect(list[list.indexOf('content-type') + 1]).toBe('application/x0');
  });

  test('beyond 128 KiB end the connection, and so do those for which there is no room', async () => {
    const open = new Set<object>();
    const openMemory = () => {
      const memory = {
        grow: (bytes: number) => bytes < 16_000,
        shrink: () => undefined,
        pin: () => undefined,
        close: () => void open.delete(memory),
      };
      open.add(memory);
      return memory;
    };
    for (const [options, bytes] of [
      [{}, 140_000],
      [{ openMemory }, 40_000],
    ] as const) {
      await using server = await startServer({}, undefined, undefined, options);
      using peer = await openPeer(server);
      peer.send(...inFrames(block(bytes)));
      expect(await peer.closed()).toBe(CODE.calm);
      expect(open.size).toBe(0);
    }
  });

  test('H10: named by a byte each are too large, and the connection continues', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    const value = Buffer.alloc(3000, 'x');
    const remember = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xb9, 0x16]), value]);
    peer.send(begin(1, Buffer.concat([requestBlock(), remember, Buffer.alloc(12_000, 0xbe)])));
    await peer.settled();
    expect(server.streams.map(({ head }) => [head.isTooLarge, head.list.length < 100])).toEqual([[true, true]]);
    expect(resets(peer)).toEqual([]);
  });
});

test('H24: an empty header block after a request in a large chunk is not taken for the block of that request', async () => {
  await using server = await startServer();
  using peer = await openPeer(server);
  // One chunk, whose memory is released when it has been parsed.
  peer.send(Buffer.concat([whole(1), begin(3), data(3, Buffer.alloc(12_000)), end(3, 'x')]));
  await peer.settled();
  peer.send(whole(5, Buffer.alloc(0)));
  await peer.settled();
  expect(answered(peer, 1)).toBe(true);
  expect(server.streams).toHaveLength(2);
  expect(resets(peer)).toEqual([[5, CODE.protocol]]);
});

/** So many fields of 100 bytes. */
function fill(count: number): [string, string][] {
  return Array.from({ length: count }, (_, at) => [`x-${at}`, 'y'.repeat(100)]);
}
