// A connection ends in two steps (RFC 9113, section 6.8), so that no call that is on its way is lost.

import { describe, expect, test, vi } from 'vitest';
import { FLAG, FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { SOON } from '../support/soon.ts';
import { answered, begin, end, whole } from './raw-frames.ts';
import { openPeer, type Peer, startServer } from './raw-peer.ts';

const MAX_STREAM_ID = 2 ** 31 - 1;

/** The last streams that were announced so far. */
function goAways(peer: Peer): readonly number[] {
  return peer.frames.filter(({ type }) => type === FRAME.goAway).map(({ payload }) => payload.readUInt32BE(0));
}

/** PINGs of the server so far. */
function pings(peer: Peer): readonly Buffer[] {
  const asked = peer.frames.filter(({ type, flags }) => type === FRAME.ping && (flags & FLAG.ack) === 0);
  return asked.map(({ payload }) => Buffer.from(payload));
}

function pong(payload: Buffer): Buffer {
  return writeFrame(FRAME.ping, FLAG.ack, 0, payload);
}

describe('H8 L17: a connection that ends in good order', () => {
  test('is announced to end; a call that comes before the peer knew is served, and then it ends', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    await peer.settled();
    peer.answersPings = false;
    server.connections[0]!.close();
    for (const trip of [1, 2, 3]) {
      await vi.waitFor(() => expect(pings(peer)).toHaveLength(trip), SOON);
      expect(goAways(peer)).toEqual(trip === 3 ? [MAX_STREAM_ID] : []);
      if (trip === 3) peer.send(whole(1));
      peer.send(pong(pings(peer).at(-1)!));
    }
    expect(await peer.closed()).toBe(0);
    expect(goAways(peer)).toEqual([MAX_STREAM_ID, 1]);
    expect(answered(peer, 1)).toBe(true);
    expect(server.failures).toEqual([]);
  });

  test('does not wait until a peer may be read from again', async () => {
    await using server = await startServer({ lastCallMs: 50 });
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    server.streams[0]!.throttle(600_000);
    server.connections[0]!.close();
    peer.send(end(1, 'x'));
    expect(await peer.closed()).toBe(0);
    expect(answered(peer, 1)).toBe(true);
    expect(server.failures).toEqual([]);
  });

  test('sends no answer between the question whether the peer is quiet and the announcement', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    peer.answersPings = false;
    server.connections[0]!.close();
    await vi.waitFor(() => expect(pings(peer)).toHaveLength(1), SOON);
    peer.send(end(1, 'x'), whole(3));
    await peer.settled();
    expect([answered(peer, 1), answered(peer, 3)]).toEqual([false, false]);
    peer.send(pong(pings(peer)[0]!));
    await vi.waitFor(() => expect(pings(peer)).toHaveLength(2), SOON);
    expect([answered(peer, 1), answered(peer, 3)]).toEqual([false, false]);
    peer.send(pong(pings(peer)[1]!));
    await vi.waitFor(() => expect([answered(peer, 1), answered(peer, 3)]).toEqual([true, true]), SOON);
    const announced = peer.frames.findIndex(({ type }) => type === FRAME.goAway);
    expect(peer.frames.findIndex(({ type }) => type === FRAME.data)).toBeGreaterThan(announced);
    peer.send(pong(pings(peer)[2]!));
    expect(await peer.closed()).toBe(0);
  });

  test('an answer to no PING of ours moves nothing', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(pong(Buffer.alloc(8)));
    await peer.settled();
    peer.answersPings = false;
    server.connections[0]!.close();
    await vi.waitFor(() => expect(pings(peer)).toHaveLength(1), SOON);
    peer.send(pong(Buffer.alloc(8, 1)), pong(Buffer.alloc(8, 2)), pong(Buffer.alloc(8, 9)));
    await peer.settled();
    expect([pings(peer).length, goAways(peer)]).toEqual([1, []]);
    peer.answersPings = true;
    peer.send(pong(pings(peer)[0]!));
    expect(await peer.closed()).toBe(0);
  });

  test('is announced and completed although its peer acknowledges nothing, and delayed responses are sent', async () => {
    await using server = await startServer({ lastCallMs: 50 });
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    peer.answersPings = false;
    server.connections[0]!.close();
    peer.send(end(1, 'x'));
    expect(await peer.closed()).toBe(0);
    expect(answered(peer, 1)).toBe(true);
    expect(goAways(peer)).toEqual([MAX_STREAM_ID, 1]);
    expect(server.failures).toEqual([]);
  });

  test('that has no call for a while is one', async () => {
    await using server = await startServer({ idleMs: 50 });
    using peer = await openPeer(server);
    expect(await peer.closed()).toBe(0);
    expect(goAways(peer)).toEqual([MAX_STREAM_ID, 0]);
    expect(server.failures).toEqual([]);
  });
});
