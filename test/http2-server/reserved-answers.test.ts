// H24: room for an answer is reserved before the answer is made. Then it waits for its peer, whatever others do.

import { describe, expect, test, vi } from 'vitest';
import { FRAME } from '../../bench/http2-frames.ts';
import { DEFAULT_LIMITS, type Receiver, type Stream, writeHeaderBlock } from '../../src/http2-server/index.ts';
import { Account } from '../../src/limits/index.ts';
import { MemoryBudget } from '../../src/limits/memory-budget.ts';
import { SOON } from '../support/soon.ts';
import { hello, reset, resets, update, whole } from './raw-frames.ts';
import { openPeer, type Peer, startServer } from './raw-peer.ts';

const STATUS = writeHeaderBlock([[':status', '200']]);
const END = writeHeaderBlock([['x-end', 'yes']]);
const MIB = 1 << 20;
const ROOM = DEFAULT_LIMITS.maxWaitingBytes;

/** A server whose streams wait for the test to answer them, over one budget. */
async function startWaiting() {
  const account = new Account(0);
  const clock = { ms: 0 };
  const limits = { totalBytes: 64 * MIB, accountBytes: 32 * MIB };
  const budget = new MemoryBudget(limits, undefined, () => clock.ms);
  const waiting: Stream[] = [];
  const serve = (stream: Stream): Receiver => ({
    onData: ({ length }) => stream.consumed(length),
    onEnd: () => void waiting.push(stream),
    onGone: () => undefined,
  });
  const openMemory = (evict: () => void) => budget.open(account, evict);
  // Nobody is cut off for reading slowly: what ends a stream here is that it is given up.
  const never = { stallMs: 3_600_000, answerMs: 3_600_000 };
  const server = await startServer(never, serve, undefined, { openMemory });
  return { server, budget, account, waiting, clock };
}

/** Sends so many requests, and waits for their streams. */
async function ask(peer: Peer, waiting: readonly Stream[], ids: readonly number[]): Promise<readonly Stream[]> {
  const before = waiting.length;
  peer.send(...ids.map((id) => whole(id)));
  await vi.waitFor(() => expect(waiting.length).toBe(before + ids.length), SOON);
  return waiting.slice(before);
}

function bytesOf({ frames }: Peer, id: number): number {
  const parts = frames.filter(({ type, stream }) => type === FRAME.data && stream === id);
  return parts.reduce((sum, { payload }) => sum + payload.length, 0);
}

function resetIds(peer: Peer): readonly number[] {
  return resets(peer).map(([id]) => id);
}

test('a peer whose stream was given up for others is not read from for a while; the others are', async () => {
  const { server, waiting } = await startWaiting();
  await using _ = server;
  using greedy = await openPeer(server, hello());
  using other = await openPeer(server, hello());
  const [evicted] = await ask(greedy, waiting, [1]);
  evicted?.evict();
  await vi.waitFor(() => expect(resetIds(greedy)).toEqual([1]), SOON);
  greedy.send(whole(3));
  const [served] = await ask(other, waiting, [1]);
  expect(served?.head.path).toBeDefined();
  expect(waiting.length).toBe(2);
  // It comes to nothing that was not given up itself.
  await vi.waitFor(() => expect(waiting.length).toBe(3), SOON);
});

describe('H24: an answer that was reserved', () => {
  test('leaves whole, also where others have filled what was left', async () => {
    const { server, budget, waiting } = await startWaiting();
    await using _ = server;
    using peer = await openPeer(server, hello([4, 0]));
    const [first, second, third] = await ask(peer, waiting, [1, 3, 5]);
    expect(first?.reserveAnswer(6 * MIB)).toBe(true);
    // There is no room beside it: this one can be rejected before anything is done for it.
    expect(second?.reserveAnswer(11 * MIB)).toBe(false);
    expect(second?.reserveAnswer(9 * MIB)).toBe(true);
    third?.respond(STATUS, false);
    third?.write(Buffer.alloc(MIB));
    third?.write(Buffer.alloc(MIB));
    // What was not reserved finds the rest taken.
    await vi.waitFor(() => expect(resetIds(peer)).toEqual([5]), SOON);
    first?.answer(STATUS, Buffer.alloc(6 * MIB), END);
    second?.answer(STATUS, Buffer.alloc(2 * MIB), END);
    // What the second does not need is free again.
    const [fourth] = await ask(peer, waiting, [7]);
    expect(fourth?.reserveAnswer(7 * MIB)).toBe(true);
    peer.send(update(0, 32 * MIB), update(1, 8 * MIB), update(3, 8 * MIB));
    await vi.waitFor(() => expect([bytesOf(peer, 1), bytesOf(peer, 3)]).toEqual([6 * MIB, 2 * MIB]), SOON);
    expect(resetIds(peer)).toEqual([5]);
    fourth?.answer(STATUS, Buffer.alloc(0), END);
    await vi.waitFor(() => expect(budget.usedBytes).toBe(0), SOON);
  });

  test.each([
    ['the peer resets it', (peer: Peer) => peer.send(reset(1))],
    ['the connection ends', (peer: Peer) => peer.socket.destroy()],
  ])('is free again when %s, while it is made or while it waits', async (_title, end) => {
    for (const isMade of [false, true]) {
      const { server, budget, account, waiting } = await startWaiting();
      await using _ = server;
      using peer = await openPeer(server, hello([4, 0]));
      const [stream] = await ask(peer, waiting, [1]);
      expect(stream?.reserveAnswer(ROOM)).toBe(true);
      if (isMade) stream?.answer(STATUS, Buffer.alloc(4 * MIB), END);
      end(peer);
      await vi.waitFor(() => expect([budget.usedBytes, account.heldBytes]).toEqual([0, 0]), SOON);
      if (peer.socket.destroyed) continue;
      const [next] = await ask(peer, waiting, [3]);
      expect(next?.reserveAnswer(ROOM)).toBe(true);
    }
  });

  test('is not dropped for others while it is made, but while it is not read', async () => {
    const { server, budget, waiting, clock } = await startWaiting();
    await using _ = server;
    using peer = await openPeer(server, hello([4, 0]));
    const [stream] = await ask(peer, waiting, [1]);
    stream?.reserveAnswer(ROOM);
    clock.ms += 1_000;
    const others = Array.from({ length: 6 }, () => budget.open(new Account(0), () => undefined));
    // Seven eighths are for large holders: this is too much beside it.
    expect(others.filter((other) => other.grow(10 * MIB)).length).toBe(4);
    expect(resetIds(peer)).toEqual([]);
    stream?.answer(STATUS, Buffer.alloc(ROOM), END);
    clock.ms += 1_000;
    for (const other of others) other.close();
    const newcomers = Array.from({ length: 5 }, () => budget.open(new Account(0), () => undefined));
    expect(newcomers.every((newcomer) => newcomer.grow(10 * MIB))).toBe(true);
    await vi.waitFor(() => expect(resetIds(peer)).toEqual([1]), SOON);
  });

  test('is given up with all of it, whichever way it was written', async () => {
    const ways: readonly ((stream: Stream) => void)[] = [
      (stream) => stream.answer(STATUS, Buffer.alloc(ROOM), END),
      (stream) => {
        stream.respond(STATUS, false);
        stream.write(Buffer.alloc(ROOM));
      },
      (stream) => {
        stream.respond(STATUS, false);
        stream.write(Buffer.alloc(ROOM));
        stream.end(END);
      },
    ];
    for (const isReserved of [true, false]) {
      for (const write of ways) {
        const { server, budget, waiting, clock } = await startWaiting();
        await using _ = server;
        using peer = await openPeer(server, hello([4, 0]));
        const [stream] = await ask(peer, waiting, [1]);
        if (isReserved) expect(stream?.reserveAnswer(ROOM)).toBe(true);
        write(stream!);
        clock.ms += 1_000;
        const others = Array.from({ length: 5 }, () => budget.open(new Account(0), () => undefined));
        expect(others.every((other) => other.grow(10 * MIB))).toBe(true);
        await vi.waitFor(() => expect(resetIds(peer)).toEqual([1]), SOON);
      }
    }
  });

  test('may turn out larger than was said, where there is room, and never holds more than the connection may', async () => {
    const { server, waiting } = await startWaiting();
    await using _ = server;
    using peer = await openPeer(server, hello([4, 0]));
    const [first, second] = await ask(peer, waiting, [1, 3]);
    first?.reserveAnswer(MIB);
    second?.reserveAnswer(10 * MIB);
    first?.answer(STATUS, Buffer.alloc(2 * MIB), END);
    second?.answer(STATUS, Buffer.alloc(15 * MIB), END);
    await vi.waitFor(() => expect(resetIds(peer)).toEqual([3]), SOON);
  });
});
