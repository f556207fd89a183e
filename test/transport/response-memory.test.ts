// What a stream has written and its peer has not taken is in the memory budget, where the transport does not count it.

import { createAsyncIterable } from '@connectrpc/connect/protocol';
import { expect, test } from 'vitest';
import { Account } from '../../src/limits/index.ts';
import { MemoryBudget } from '../../src/limits/memory-budget.ts';
import { isOutOfResponseMemory, ResponseMemory } from '../../src/transport/response-memory.ts';

const MIB = 2 ** 20;
const TOTAL = { totalBytes: 8 * MIB, accountBytes: 2 * MIB };

function holding(budget: MemoryBudget, account: Account, reserveAnswer?: () => boolean) {
  const room = new ResponseMemory(
    budget.open(account, () => undefined),
    reserveAnswer,
  );
  const { body } = room.holdEach({
    status: 200,
    body: createAsyncIterable([new Uint8Array(MIB), new Uint8Array(MIB / 2), new Uint8Array(8)]),
  });
  return (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
}

test('H24: a message of a stream counts until it is taken', async () => {
  const budget = new MemoryBudget(TOTAL);
  const messages = holding(budget, new Account(0));
  const held: number[] = [];
  while ((await messages.next()).done !== true) held.push(budget.usedBytes);
  expect(held).toEqual([MIB, MIB / 2, 8]);
  expect(budget.usedBytes).toBe(0);
});

test('H24: a stream whose message has no room ends, and is no bug', async () => {
  const budget = new MemoryBudget(TOTAL);
  const account = new Account(0);
  const streams = Array.from({ length: 3 }, () => holding(budget, account));
  const first = await Promise.allSettled(streams.map((messages) => messages.next()));
  expect(first.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(first.map((one) => one.status === 'rejected' && isOutOfResponseMemory(one.reason))).toEqual([
    false,
    false,
    true,
  ]);
  expect(budget.usedBytes).toBe(2 * MIB);
});

test('H24: a transport that counts its responses itself is left to it', async () => {
  const budget = new MemoryBudget(TOTAL);
  await holding(budget, new Account(0), () => true).next();
  expect(budget.usedBytes).toBe(0);
});
