// Lists of headers that are large, or that become large when they are read.

import { describe, expect, test } from 'vitest';
import { FLAG, FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { begin, CODE, CONTINUATION, requestBlock, resets } from './raw-frames.ts';
import { openPeer, startServer } from './raw-peer.ts';

describe('H6: headers', () => {
  const block = (bytes: number) => requestBlock(['x-large', 'x'.repeat(bytes)]);
  const inFrames = (bytes: Buffer) => [
    writeFrame(FRAME.headers, FLAG.endStream, 1, bytes.subarray(0, 16_384)),
    writeFrame(CONTINUATION, FLAG.endHeaders, 1, bytes.subarray(16_384)),
  ];

  test.each([
    [15_000, false],
    [20_000, true],
  ])('of %d bytes reach their server, which is told whether they are too large', async (bytes, isTooLarge) => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(...inFrames(block(bytes)));
    await peer.settled();
    expect(server.streams.map(({ head }) => head.isTooLarge)).toEqual([isTooLarge]);
  });

  test('H10: named by a byte each reach nobody, and the connection goes on', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    const value = Buffer.alloc(3000, 'x');
    const remember = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xb9, 0x16]), value]);
    peer.send(begin(1, Buffer.concat([requestBlock(), remember, Buffer.alloc(12_000, 0xbe)])));
    await peer.settled();
    expect(server.streams).toEqual([]);
    expect(resets(peer)).toEqual([[1, CODE.calm]]);
  });
});
