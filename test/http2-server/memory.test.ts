// What connections can make us keep that have no call at all.

import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { SOON } from '../support/soon.ts';
import { begin, CONTINUATION, end, requestBlock, resets } from './raw-frames.ts';
import { openPeer, type Peer, startServer } from './raw-peer.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CONNECTIONS = 100;
/** Of this process: both ends of each connection, of which the peer's keeps less than 16 KiB. */
const MOST_BYTES = 512 * 1024;

function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A field that is put into the table. */
function remembered(at: number): Buffer {
  const name = Buffer.from(`x-${at}`);
  const value = Buffer.alloc(100, 0x61 + (at % 26));
  return Buffer.concat([Buffer.from([0x40, name.length]), name, Buffer.from([value.length]), value]);
}

test('H10: a full table, a remembered block, an open block and half a frame: half a MiB at most', async () => {
  await using server = await startServer();
  const peers: Peer[] = [];
  const before = heldBytes();
  try {
    for (let count = 0; count < CONNECTIONS; count++) {
      const peer = await openPeer(server);
      peers.push(peer);
      const table = Buffer.concat([requestBlock(), ...Array.from({ length: 100 }, (_, at) => remembered(at))]);
      const large = requestBlock(['x-large', 'x'.repeat(15_000)]);
      peer.send(begin(1, table), end(1));
      peer.send(begin(3, large), end(3), begin(5, large), end(5));
      await peer.settled();
      peer.frames.length = 0;
      peer.send(
        writeFrame(FRAME.headers, 0, 7, Buffer.alloc(16_384, 0x82)),
        writeFrame(CONTINUATION, 0, 7, Buffer.alloc(16_000, 0x82)),
        writeFrame(CONTINUATION, 0, 7, Buffer.alloc(16_384)).subarray(0, 16_000),
      );
    }
    const hasRead = ({ socket }: { socket: Socket }, at: number) => socket.bytesRead === peers[at]!.socket.bytesWritten;
    await vi.waitFor(() => expect(server.connections.every(hasRead)).toBe(true), SOON);
    expect(server.failures).toEqual([]);
    expect(peers.flatMap((peer) => resets(peer))).toEqual([]);

    expect((heldBytes() - before) / CONNECTIONS).toBeLessThan(MOST_BYTES);
  } finally {
    for (const peer of peers) peer[Symbol.dispose]();
  }
});
