// An idle connection ends in two steps (RFC 9113, section 6.8), so that no call that is on its way is lost.

import { describe, expect, test, vi } from 'vitest';
import { FRAME } from '../../bench/http2-frames.ts';
import { whole } from './raw-frames.ts';
import { openPeer, startServer } from './raw-peer.ts';

const MAX_STREAM_ID = 2 ** 31 - 1;
const SOON = { timeout: 10_000, interval: 5 };

describe('H8: an idle connection', () => {
  test('is announced to end; a call that comes before the peer knew is served, and then it ends', async () => {
    await using server = await startServer({ idleMs: 50, lastCallMs: 500 });
    using peer = await openPeer(server);
    const goAways = () => peer.frames.filter(({ type }) => type === FRAME.goAway);
    await vi.waitFor(() => expect(goAways().length).toBe(1), SOON);
    peer.send(whole(1));
    expect(await peer.closed()).toBe(0);
    expect(goAways().map(({ payload }) => payload.readUInt32BE(0))).toEqual([MAX_STREAM_ID, 1]);
    expect(peer.frames.some(({ type, stream }) => type === FRAME.data && stream === 1)).toBe(true);
    expect(server.failures).toEqual([]);
  });

  test('ends though its peer says nothing', async () => {
    await using server = await startServer({ idleMs: 50, lastCallMs: 50 });
    using peer = await openPeer(server);
    expect(await peer.closed()).toBe(0);
    expect(server.failures).toEqual([]);
  });
});
