// Peers that want to cost us more than they pay: what is of no use to any call is counted, and has an end.

import { describe, expect, test, vi } from 'vitest';
import { FLAG, FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { DEFAULT_LIMITS } from '../../src/http2-server/index.ts';
import {
  begin,
  CODE,
  CONTINUATION,
  data,
  many,
  PRIORITY,
  ping,
  requestBlock,
  reset,
  setting,
  update,
  whole,
} from './raw-frames.ts';
import { openPeer, SILENT, startServer } from './raw-peer.ts';

const EMPTY = Buffer.alloc(0);
const BURST = DEFAULT_LIMITS.resets.burst;

/** Sends this all at once: the connection ends with ENHANCE_YOUR_CALM, and the end of every opened stream is reported. */
async function flood(frames: Buffer, most: number): Promise<void> {
  // The clock stands: a budget earns something in each second that a flood takes.
  await using server = await startServer({}, undefined, () => 0);
  using peer = await openPeer(server);
  peer.send(frames);
  expect(await peer.closed()).toBe(CODE.calm);
  expect(server.streams.length).toBeLessThanOrEqual(most);
  await vi.waitFor(() => expect(server.gone.length, 'every opened stream was ended').toBe(server.streams.length));
  expect(server.begun, 'work that was begun').toBe(0);
}

describe('H1: rapid reset', () => {
  test.each<[string, (id: number) => Buffer[]]>([
    ['of requests that have begun', (id) => [begin(id), reset(id)]],
    ['of whole requests', (id) => [whole(id), reset(id)]],
    ['that we are made to send, by a window', (id) => [begin(id), update(id, 0)]],
    ['that we are made to send, by a circle', (id) => [begin(id), writeFrame(PRIORITY, 0, id, circle(id))]],
    ['that we are made to send, by a malformed request', (id) => [begin(id, Buffer.from([0x83]))]],
  ])('%s', async (_title, frames) => {
    await flood(
      many(20_000, (at) => Buffer.concat(frames(2 * at + 1))),
      BURST + 1,
    );
  });

  test('costs double where the work had begun', async () => {
    await using server = await startServer(
      {},
      () => SILENT,
      () => 0,
    );
    using peer = await openPeer(server);
    const cancelBegun = async (ids: readonly number[]) => {
      peer.send(...ids.map((id) => whole(id)));
      await peer.settled();
      peer.send(...ids.map(reset));
    };
    for (let id = 1; id < BURST; id += 200) await cancelBegun(Array.from({ length: 100 }, (_, at) => id + 2 * at));
    await peer.settled();
    expect(server.failures).toEqual([]);
    await cancelBegun([BURST + 1]);
    expect(await peer.closed()).toBe(CODE.calm);
  });

  test('no work is begun for a request whose reset has come with it', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(many(50, (at) => Buffer.concat([whole(2 * at + 1), reset(2 * at + 1)])));
    await peer.settled();
    expect([server.streams.length, server.gone.length, server.begun]).toEqual([50, 50, 0]);
  });

  test('a caller that cancels hundreds of calls at once is no enemy', async () => {
    await using server = await startServer();
    using peer = await openPeer(server);
    for (let round = 0; round < 19; round++) {
      const ids = Array.from({ length: 100 }, (_, at) => 200 * round + 2 * at + 1);
      peer.send(...ids.map((id) => begin(id)));
      await peer.settled();
      peer.send(...ids.map(reset));
      await peer.settled();
    }
    expect(server.failures).toEqual([]);
  });

  test('a caller that completes its calls may cancel and ping as often as it calls', async () => {
    await using server = await startServer({}, undefined, () => 0);
    using peer = await openPeer(server);
    for (let id = 1; id < 8_000; id += 4) {
      peer.send(
        whole(id),
        begin(id + 2),
        reset(id + 2),
        many(4, () => update(0, 1)),
      );
      if (id % 100 === 1) await peer.settled();
    }
    await peer.settled();
    expect(server.failures).toEqual([]);
  });
});

describe('H2: resets for ever', () => {
  /** Opens and resets a stream in each interval, until the connection ends or a minute of the clock has passed. */
  async function pace(intervalMs: number, livesMs: number): Promise<number | undefined> {
    let time = 0;
    await using server = await startServer({ idleMs: 0 }, undefined, () => time);
    using peer = await openPeer(server);
    for (let id = 1; time < 120_000 && !peer.isClosed(); id += 2) {
      peer.send(begin(id));
      await peer.settledOrClosed();
      time += livesMs;
      peer.send(reset(id));
      await peer.settledOrClosed();
      time += intervalMs - livesMs;
    }
    return peer.isClosed() ? peer.closed() : undefined;
  }

  test('twenty-five a second end the connection within two minutes', async () => {
    expect(await pace(40, 0)).toBe(CODE.calm);
  });

  test('five a second do not: they cost nothing worth mentioning', async () => {
    expect(await pace(200, 0)).toBeUndefined();
  });

  test('nor those of calls that were waited for: their places limit them', async () => {
    expect(await pace(1_000, 1_000)).toBeUndefined();
  });
});

describe('H3: a header block without an end', () => {
  test.each<[string, number, (at: number) => Buffer]>([
    ['of empty frames', 5_000, () => EMPTY],
    ['of full frames', 20, () => Buffer.alloc(16_384, 0x82)],
  ])('%s', async (_title, count, part) => {
    await flood(
      many(count, (at) => writeFrame(at === 0 ? FRAME.headers : CONTINUATION, 0, 1, part(at))),
      0,
    );
  });
});

describe('H4: frames that ask for an answer', () => {
  test.each<[string, () => Buffer]>([
    ['PING', () => ping()],
    ['PING, acknowledged without being asked', () => ping(FLAG.ack)],
    ['SETTINGS', () => writeFrame(FRAME.settings, 0, 0, EMPTY)],
    ['SETTINGS that move every window', () => setting(4, 1 << 20)],
    ['SETTINGS, acknowledged without being asked', () => writeFrame(FRAME.settings, FLAG.ack, 0, EMPTY)],
  ])('%s', async (_title, make) => {
    await flood(many(5_000, make), 0);
  });
});

describe('H5: frames that carry nothing', () => {
  test.each<[string, (at: number) => Buffer]>([
    ['PRIORITY', () => writeFrame(PRIORITY, 0, 3, Buffer.alloc(5))],
    ['unknown frames', () => writeFrame(0xfe, 0, 0, EMPTY)],
    ['WINDOW_UPDATE', () => update(0, 1)],
    ['empty DATA', (at) => (at === 0 ? begin(1) : data(1, EMPTY))],
    ['DATA of a byte', (at) => (at === 0 ? begin(1) : data(1, 'x'))],
    ['DATA of padding', (at) => (at === 0 ? begin(1) : data(1, Buffer.from([2, 0, 0]), 8))],
  ])('%s', async (_title, make) => {
    await flood(many(5_000, make), 1);
  });
});

test('H7: streams beyond what was announced are rejected, and then no more', async () => {
  await flood(
    many(5_000, (at) => begin(2 * at + 1, requestBlock())),
    DEFAULT_LIMITS.maxConcurrentStreams,
  );
});

/** A priority that makes a stream depend on itself. */
function circle(id: number): Buffer {
  const priority = Buffer.alloc(5);
  priority.writeUInt32BE(id);
  return priority;
}
