// A stream that is answered before its request is complete is reset (RFC 9113, section 8.1), but not at once: clients that drop
// what they have read when a reset follows it (curl 7.88) get the answer.

import { describe, expect, test, vi } from 'vitest';
import { type Stream, writeHeaderBlock } from '../../src/http2-server/index.ts';
import { SOON } from '../support/soon.ts';
import { answered, begin, CODE, data, end, reset, resets, whole } from './raw-frames.ts';
import { openPeer, SILENT, startServer } from './raw-peer.ts';

const ANSWER = writeHeaderBlock([[':status', '403']]);

/** Answers as soon as the headers are there. */
function answerAtOnce(stream: Stream) {
  return { ...SILENT, onRead: () => stream.respond(ANSWER, true) };
}

describe('H39: an answer that comes before its request is complete', () => {
  test('is followed by a reset, in a moment', async () => {
    await using server = await startServer({}, answerAtOnce);
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    expect([answered(peer, 1), resets(peer)]).toEqual([true, []]);
    await vi.waitFor(() => expect(resets(peer)).toEqual([[1, CODE.none]]), SOON);
    expect(server.failures).toEqual([]);
  });

  test.each([
    ['ends', [end(1, 'rest')]],
    ['ends with trailers', [whole(1, writeHeaderBlock([['x-end', 'yes']]))]],
    ['ends after further parts', [data(1, 'x'.repeat(16_000)), data(1, 'y'.repeat(16_000)), end(1)]],
    ['is reset by its peer', [reset(1)]],
  ])('where the request %s meanwhile, no reset follows', async (_, frames) => {
    let time = 0;
    await using server = await startServer({ lateResetMs: 30 }, answerAtOnce, () => time);
    using peer = await openPeer(server);
    peer.send(begin(1));
    await vi.waitFor(() => expect(answered(peer, 1)).toBe(true), SOON);
    // However long a busy machine takes for it, the moment is not over until both have arrived.
    peer.send(...frames, begin(3));
    await vi.waitFor(() => expect(answered(peer, 3)).toBe(true), SOON);
    time = 30;
    await vi.waitFor(() => expect(resets(peer).map(([id]) => id)).toContain(3), SOON);
    expect(resets(peer)).toEqual([[3, CODE.none]]);
    expect(server.failures).toEqual([]);
  });

  test('keeps nothing of what still comes: the window of the connection is given back', async () => {
    await using server = await startServer({}, answerAtOnce);
    using peer = await openPeer(server);
    // Sixty streams of a full window each: four times what a connection may send before it is taken.
    for (let id = 1; id < 120; id += 2) {
      peer.send(begin(id), ...Array.from({ length: 4 }, () => data(id, 'x'.repeat(16_000))));
      await peer.settled();
      expect(answered(peer, id)).toBe(true);
    }
    expect(server.failures).toEqual([]);
  });

  test('past 256 that wait the oldest is reset at once', async () => {
    await using server = await startServer({ lateResetMs: 60_000 }, answerAtOnce);
    using peer = await openPeer(server);
    for (let id = 1; id <= 2 * 258; id += 2) {
      peer.send(begin(id));
      if (id % 100 === 99) await peer.settled();
    }
    await peer.settled();
    expect(resets(peer)).toEqual([
      [1, CODE.none],
      [3, CODE.none],
    ]);
  });

  test('resets that wait leave before the connection ends', async () => {
    await using server = await startServer({ lateResetMs: 60_000 }, answerAtOnce);
    using peer = await openPeer(server);
    peer.send(begin(1));
    await peer.settled();
    server.connections[0]!.close();
    expect(await peer.closed()).toBe(CODE.none);
    expect(resets(peer)).toEqual([[1, CODE.none]]);
  });
});
