// RFC 9113 frame by frame: what ends neither a stream nor the connection.

import { describe, expect, test, vi } from 'vitest';
import { FLAG, FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import { SOON } from '../support/soon.ts';
import {
  answered,
  begin,
  CODE,
  CONTINUATION,
  data,
  end,
  HAS_PRIORITY,
  PADDED,
  PRIORITY,
  requestBlock,
  reset,
  resets,
  setting,
  update,
  whole,
} from './raw-frames.ts';
import { openPeer, type Peer, SILENT, startServer } from './raw-peer.ts';

const { protocol: PROTOCOL } = CODE;

describe('what is allowed', () => {
  test.each<[string, Buffer[]]>([
    ['a request in one frame', [whole()]],
    ['a body in many frames', [begin(), data(1, 'a'), data(1, ''), data(1, 'b'), end(1)]],
    [
      'padding and priority',
      [
        writeFrame(
          FRAME.headers,
          FLAG.endHeaders | PADDED | HAS_PRIORITY,
          1,
          Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 1]), requestBlock(), Buffer.alloc(3)]),
        ),
        writeFrame(FRAME.data, PADDED | FLAG.endStream, 1, Buffer.from([2, 0x61, 0, 0])),
      ],
    ],
    [
      'a block in pieces',
      [
        writeFrame(FRAME.headers, FLAG.endStream, 1, requestBlock().subarray(0, 1)),
        writeFrame(CONTINUATION, 0, 1, Buffer.alloc(0)),
        writeFrame(CONTINUATION, FLAG.endHeaders, 1, requestBlock().subarray(1)),
      ],
    ],
    ['trailers', [begin(), data(1, 'a'), whole(1, writeHeaderBlock([['x-note', 'b']]))]],
    [
      'unknown frames, flags and settings',
      [
        writeFrame(0xfe, 0xff, 7, Buffer.from('x')),
        setting(0xfefe, 1),
        writeFrame(FRAME.headers, FLAG.endHeaders | FLAG.endStream | 0x40, 1, requestBlock()),
      ],
    ],
    [
      'PRIORITY of a stream that nobody has opened',
      [writeFrame(PRIORITY, 0, 99, Buffer.from([0, 0, 0, 3, 1])), whole()],
    ],
    ['an update of a stream that has ended', [whole(), update(1, 5)]],
    ['a right length', [begin(1, requestBlock(['content-length', '2'])), data(1, 'a'), end(1, 'b')]],
  ])('%s', async (_title, frames) => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(...frames);
    await peer.settled();
    expect(answered(peer, 1)).toBe(true);
    // The same, byte by byte: no packet has to end where a frame does.
    using slow = await openPeer(server);
    for (const byte of Buffer.concat(frames)) slow.send(Buffer.from([byte]));
    await slow.settled();
    expect(answered(slow, 1)).toBe(true);
    expect(server.failures).toEqual([]);
  });

  test('a body comes back as it was, whatever its frames', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(begin(), data(1, 'one '), data(1, 'two '), end(1, 'three'));
    await peer.settled();
    const parts = peer.frames.filter(({ type, stream }) => type === FRAME.data && stream === 1);
    expect(Buffer.concat(parts.map(({ payload }) => payload)).toString()).toBe('one two three');
  });

  test('what was sent before our reset was known is ignored', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(begin(), update(1, 0));
    await peer.settled();
    peer.send(data(1, 'late'), whole(1, writeHeaderBlock([['a', 'b']])), update(1, 1), reset(1), whole(3));
    await peer.settled();
    expect(answered(peer, 3)).toBe(true);
    expect(resets(peer)).toEqual([[1, PROTOCOL]]);
  });

  test('our own mistake ends the connection with INTERNAL_ERROR, is reported, and ends no other', async () => {
    await using server = await startServer({}, (stream) => {
      if (stream.id === 3) throw new RangeError('on purpose');
      return SILENT;
    });
    using other = await openPeer(server);
    using peer = await openPeer(server);
    peer.send(begin(1), begin(3));
    expect(await peer.closed()).toBe(CODE.internal);
    expect(server.failures).toEqual(['RangeError: on purpose', 'a frame could not be taken']);
    await other.settled();
  });

  test('H7: the 101st open stream is rejected, and can be tried again', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    const ids = Array.from({ length: 101 }, (_, place) => 2 * place + 1);
    peer.send(...ids.map((id) => begin(id)));
    await peer.settled();
    expect(resets(peer)).toEqual([[201, CODE.rejected]]);
    peer.send(end(1));
    await peer.settled();
    peer.send(whole(203));
    await peer.settled();
    expect(answered(peer, 203)).toBe(true);
  });

  test('a reset of a stream that has ended changes nothing', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(whole(1));
    await peer.settled();
    peer.send(reset(1), whole(3));
    await peer.settled();
    expect([answered(peer, 1), answered(peer, 3)]).toEqual([true, true]);
    expect(server.failures).toEqual([]);
  });

  test('after GOAWAY whole requests that were under way are ignored, bodies and trailers too', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    server.connections[0]?.close();
    await lastGoAway(peer);
    peer.send(begin(3), data(3, 'x'.repeat(100)), whole(3, writeHeaderBlock([['a', 'b']])), begin(5), end(5, 'x'));
    await peer.settled();
    expect(resets(peer)).toEqual([]);
    expect(server.streams.map(({ id }) => id)).toEqual([1]);
    peer.send(end(1, 'x'));
    expect(await peer.closed()).toBe(CODE.none);
    expect(answered(peer, 1)).toBe(true);
    expect(server.failures).toEqual([]);
  });

  test('after GOAWAY open streams end well, new ones are not served, and then the connection closes', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    server.connections[0]?.close();
    expect(await lastGoAway(peer)).toBe(1);
    peer.send(whole(3));
    await peer.settled();
    expect(answered(peer, 3)).toBe(false);
    peer.send(end(1, 'x'));
    expect(await peer.closed()).toBe(0);
    expect(answered(peer, 1)).toBe(true);
  });
});

/** The last stream that is served, according to GOAWAY. */
async function lastGoAway(peer: Peer): Promise<number | undefined> {
  const goAways = () => peer.frames.filter(({ type }) => type === FRAME.goAway);
  await vi.waitFor(() => expect(goAways()).toHaveLength(2), SOON);
  return goAways().at(-1)?.payload.readUInt32BE(0);
}
