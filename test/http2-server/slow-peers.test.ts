// Peers that take their time: to send what they have begun, or to read what they have asked for.

import { describe, expect, test, vi } from 'vitest';
import { FLAG, FRAME, PREFACE, writeFrame } from '../../bench/http2-frames.ts';
import { type Stream, writeHeaderBlock } from '../../src/http2-server/index.ts';
import { SOON } from '../support/soon.ts';
import {
  answered,
  begin,
  CODE,
  CONTINUATION,
  data,
  hello,
  many,
  ping,
  requestBlock,
  resets,
  setting,
  update,
  whole,
} from './raw-frames.ts';
import { openPeer, type Peer, SILENT, startServer } from './raw-peer.ts';

const STATUS = writeHeaderBlock([[':status', '200']]);
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

function bytesOf({ frames }: Peer, id: number): number {
  return frames
    .filter(({ type, stream }) => type === FRAME.data && stream === id)
    .reduce((sum, { payload }) => sum + payload.length, 0);
}

describe('H8: slow peers', () => {
  test('a frame that trickles in', async () => {
    let time = 0;
    await using server = await startServer({ frameMs: 10_000 }, undefined, () => time);
    using peer = await openPeer(server);
    peer.send(begin(1), writeFrame(FRAME.data, 0, 1, Buffer.alloc(100)).subarray(0, 20));
    await vi.waitFor(() => expect(server.streams).toHaveLength(1), SOON);
    time = 10_001;
    peer.send(Buffer.from([0]));
    expect(await peer.closed()).toBe(CODE.calm);
  });

  test('a header block that trickles in', async () => {
    let time = 0;
    await using server = await startServer({ frameMs: 10_000 }, undefined, () => time);
    using peer = await openPeer(server);
    // The answer to the first request says that the beginning of the second has been read too.
    peer.send(whole(1), writeFrame(FRAME.headers, 0, 3, requestBlock()));
    await vi.waitFor(() => expect(peer.frames.some(({ stream }) => stream === 1)).toBe(true), SOON);
    time = 10_001;
    peer.send(writeFrame(CONTINUATION, 0, 3, Buffer.alloc(0)));
    expect(await peer.closed()).toBe(CODE.calm);
  });

  test('nothing at all, without a call: the connection ends well', async () => {
    await using server = await startServer({ idleMs: 50 });
    using peer = await openPeer(server);
    expect(await peer.closed()).toBe(0);
  });

  const SETTINGS = writeFrame(FRAME.settings, 0, 0, Buffer.alloc(0));
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a preface', PREFACE.subarray(0, 10)],
    ['a preface alone', PREFACE],
    ['half the settings', Buffer.concat([PREFACE, SETTINGS.subarray(0, 5)])],
    ['half a header of a frame', Buffer.concat([PREFACE, SETTINGS, begin(1).subarray(0, 4)])],
    ['half a frame', Buffer.concat([PREFACE, SETTINGS, begin(1).subarray(0, 12)])],
    ['a header block without its end', Buffer.concat([PREFACE, SETTINGS, openBlock(1)])],
  ])(
    'H37: %s, and then not a byte more: the connection ends after the time of a frame, not of idle ones',
    async (_title, bytes) => {
      await using server = await startServer({ frameMs: 50, idleMs: 3_600_000 });
      using peer = await openPeer(server, bytes);
      expect(await peer.closed()).toBe(CODE.calm);
      expect(server.streams).toEqual([]);
    },
  );

  test('a call that waits is not idle', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    // What a socket says on which nothing has moved for its time.
    server.connections[0]!.socket.emit('timeout');
    await peer.settled();
    expect(peer.frames.filter(({ type }) => type === FRAME.goAway)).toEqual([]);
    expect(server.failures).toEqual([]);
  });
});

describe('H8: a reader that does not read', () => {
  const upload = (id: number, bytes: number) => {
    const frames = [begin(id)];
    for (let left = bytes; left > 0; left -= 16_384)
      frames.push(writeFrame(FRAME.data, 0, id, Buffer.alloc(Math.min(left, 16_384))));
    return Buffer.concat([...frames, writeFrame(FRAME.data, FLAG.endStream, id, Buffer.alloc(0))]);
  };
  const waitingBytes = (server: { connections: readonly { writeQueue: { waitingBytes: number } }[] }) =>
    server.connections[0]?.writeQueue.waitingBytes;

  test('keeps its answer waiting, and gets it when it opens its window, at most a window at a time', async () => {
    await using server = await startServer();
    using peer = await openPeer(server, hello([4, 0]));
    peer.send(upload(1, 50_000));
    await peer.settled();
    const got = () => bytesOf(peer, 1);
    expect([got(), waitingBytes(server)]).toEqual([0, 50_000]);
    peer.send(update(1, 20_000));
    await peer.settled();
    expect([got(), waitingBytes(server)]).toEqual([20_000, 30_000]);
    // Smaller windows count for open streams too: this one is negative now.
    peer.send(setting(4, 10), update(1, 30_000));
    await peer.settled();
    expect([got(), waitingBytes(server)]).toEqual([50_000, 0]);
    expect(peer.frames.at(-2)).toMatchObject({ type: FRAME.headers, flags: 5, stream: 1 });
  });

  test('cannot make more wait than the limit', async () => {
    await using server = await startServer({ maxWaitingBytes: 100_000 });
    using peer = await openPeer(server, hello([4, 0]));
    peer.send(upload(1, 60_000), upload(3, 60_000));
    await peer.settled();
    expect(waitingBytes(server)).toBe(60_000);
    expect(resets(peer)).toEqual([[3, CODE.calm]]);
  });

  test('H1 pays for the resets that it makes us send so, and is cut off when it has made too many', async () => {
    const limits = { maxWaitingBytes: 100, resets: { burst: 10, perSecond: 0 } };
    await using server = await startServer(limits, undefined, () => 0);
    using peer = await openPeer(server, hello([4, 0]));
    peer.send(many(20, (at) => upload(2 * at + 1, 1_000)));
    expect(await peer.closed()).toBe(CODE.calm);
    expect(resets(peer).length).toBeLessThanOrEqual(10);
  });

  test('is cut off when it does not take a frame in its time, byte by byte or not', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let time = 0;
      await using server = await startServer({}, undefined, () => time);
      using peer = await openPeer(server, hello([4, 0]));
      peer.send(upload(1, 50_000));
      await peer.settled();
      time = 14_000;
      peer.send(update(1, 100));
      await peer.settled();
      vi.advanceTimersByTime(5_000);
      expect(waitingBytes(server)).toBe(49_900);
      time = 15_001;
      vi.advanceTimersByTime(5_000);
      expect(waitingBytes(server)).toBe(0);
      await peer.settled();
      expect(resets(peer)).toEqual([[1, CODE.calm]]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('H24: is cut off when it takes frame after frame, but not the whole answer in its time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let time = 0;
      await using server = await startServer({}, undefined, () => time);
      using peer = await openPeer(server, hello([4, 0]));
      peer.send(upload(1, 50_000));
      await peer.settled();
      for (time = 10_000; time <= 20_000; time += 10_000) {
        peer.send(update(1, 16_384));
        await peer.settled();
        vi.advanceTimersByTime(5_000);
        expect(resets(peer)).toEqual([]);
      }
      time = 30_001;
      vi.advanceTimersByTime(5_000);
      await peer.settled();
      expect(waitingBytes(server)).toBe(0);
      expect(resets(peer)).toEqual([[1, CODE.calm]]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('who does not read the socket is not read from', async () => {
    await using server = await startServer({ controlFrames: { burst: 1e9, perSecond: 0 } });
    using peer = await openPeer(server);
    await peer.settled();
    peer.socket.pause();
    const pings = many(50_000, () => ping());
    for (let round = 0; round < 40; round++) peer.send(pings);
    const outer = server.connections[0]!.socket;
    await vi.waitFor(() => expect(outer.isPaused()).toBe(true), SOON);
    expect(outer.writableLength).toBeLessThan(1 << 20);
  });

  test('whose socket has been full for 15 s is cut off, with all that waits for it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let time = 0;
      await using server = await startServer({ controlFrames: { burst: 1e9, perSecond: 0 } }, undefined, () => time);
      using peer = await openPeer(server);
      peer.send(begin(1));
      await peer.settled();
      peer.socket.pause();
      const pings = many(50_000, () => ping());
      for (let round = 0; round < 40; round++) peer.send(pings);
      const outer = server.connections[0]!.socket;
      while (!outer.isPaused()) await nextTurn();
      time = 14_000;
      vi.advanceTimersByTime(5_000);
      expect(outer.destroyed).toBe(false);
      time = 15_001;
      vi.advanceTimersByTime(5_000);
      expect(outer.destroyed).toBe(true);
      expect(server.gone).toHaveLength(1);
      expect(server.failures).toEqual(['the peer does not read']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('that makes its window negative gets the end of an answer all the same, and no more than it allows', async () => {
    const opened: Stream[] = [];
    await using server = await startServer({}, (stream) => {
      opened.push(stream);
      return SILENT;
    });
    using peer = await openPeer(server);
    peer.send(whole(1), whole(3));
    await peer.settled();
    const [first, second] = opened;
    first!.respond(STATUS, false);
    first!.write(Buffer.alloc(65_535));
    peer.send(setting(4, 0), update(0, 100));
    await peer.settled();
    first!.end(writeHeaderBlock([['x-end', 'yes']]));
    second!.respond(STATUS, false);
    second!.write(Buffer.alloc(1_000));
    peer.send(update(3, 1_000));
    await peer.settled();
    expect(answered(peer, 1)).toBe(true);
    // A negative window must not be added to that of the connection.
    expect(bytesOf(peer, 3)).toBe(100);
    expect(server.connections[0]!.writeQueue.waitingBytes).toBe(900);
  });

  test('has its time to read the end of an answer when the connection ends in good order', async () => {
    let answer: Stream | undefined;
    await using server = await startServer({}, (stream) => {
      answer = stream;
      return SILENT;
    });
    using peer = await openPeer(server, hello([4, 2 ** 30]));
    peer.send(update(0, 2 ** 30), whole(1));
    await peer.settled();
    peer.socket.pause();
    const length = 4 << 20;
    answer!.answer(STATUS, Buffer.alloc(length), writeHeaderBlock([['x-end', 'yes']]));
    server.connections[0]!.close();
    await nextTurn();
    peer.socket.resume();
    expect(await peer.closed()).toBe(CODE.none);
    expect([answered(peer, 1), bytesOf(peer, 1)]).toEqual([true, length]);
  });

  test('uploads beyond the limit of a connection get an error', async () => {
    await using server = await startServer({ maxHeldBytes: 40_000 });
    using peer = await openPeer(server);
    peer.send(begin(1), data(1, Buffer.alloc(16_384)), begin(3), data(3, Buffer.alloc(16_384)));
    peer.send(begin(5), data(5, Buffer.alloc(16_384)));
    await peer.settled();
    expect(server.streams.map(({ isClosed }) => isClosed)).toEqual([false, false, true]);
  });
});

/** A HEADERS frame that CONTINUATION must follow. */
function openBlock(id: number): Buffer {
  return writeFrame(FRAME.headers, 0, id, requestBlock());
}
