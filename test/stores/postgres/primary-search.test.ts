// How the primary is looked for: one search at a time, each server in its turn, and at once a rejection while there is none.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import {
  type DatabaseDown,
  NoFreeConnection,
  StandbyServer,
  UnfitDatabase,
} from '../../../src/stores/postgres/failures.ts';
import { PrimarySearch, type ServerAddress } from '../../../src/stores/postgres/primary-search.ts';

const [A, B, C] = ['a', 'b', 'c'].map((host) => ({ host, port: 5432 })) as [
  ServerAddress,
  ServerAddress,
  ServerAddress,
];
const rejected = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const standby = () => new StandbyServer('it is a standby');

/** A search among servers of which `primary` is the primary; the others are standbys, or do not answer. */
function searchAmong(...servers: [ServerAddress, ...ServerAddress[]]) {
  const state = { primary: undefined as ServerAddress | undefined, nowMs: 0, fault: rejected as () => Error };
  const asked: string[] = [];
  const reported: string[] = [];
  const search = new PrimarySearch({
    servers,
    ask: async (server) => {
      asked.push(server.host);
      await Promise.resolve();
      if (server !== state.primary) throw state.fault();
    },
    onFound: ({ host }, downMs) => reported.push(`${host} after ${downMs}`),
    onLost: () => reported.push('lost'),
    nowMs: () => state.nowMs,
  });
  return { search, state, asked, reported };
}

test('of one server nothing is asked before a connection fails', async () => {
  const { search, asked } = searchAmong(A);
  expect(await search.find()).toBe(A);
  expect(asked).toEqual([]);
});

test('of several the primary is found in their order, by one search for all who wait, and remembered', async () => {
  const { search, state, asked, reported } = searchAmong(A, B, C);
  state.primary = B;
  expect(await Promise.all([search.find(), search.find(), search.find()])).toEqual([B, B, B]);
  expect(await search.find()).toBe(B);
  expect(asked).toEqual(['a', 'b']);
  expect(reported).toEqual(['b after undefined']);
});

test('after a failed connection the next server is asked first, and the one that failed last', async () => {
  const { search, state, asked } = searchAmong(A, B, C);
  state.primary = B;
  await search.find();
  asked.length = 0;
  state.primary = A;
  search.failed(B, rejected());
  // What others say of a server that is no longer the one in use does not matter.
  search.failed(B, rejected());
  expect(await search.find()).toBe(A);
  expect(asked).toEqual(['c', 'a']);
});

test('L20: while there is none, one caller at a time asks, after growing pauses, and all others are rejected at once', async () => {
  const { search, state, asked, reported } = searchAmong(A, B);
  await expect(search.find()).rejects.toMatchObject({ name: 'DatabaseDown', isRepeated: false });
  expect([asked.length, search.isDown, reported]).toEqual([2, true, ['lost']]);
  for (let n = 0; n < 50; n++) await expect(search.find()).rejects.toMatchObject({ isRepeated: true });
  expect(asked).toHaveLength(2);
  let rounds = 0;
  for (let before = asked.length; state.nowMs < 10_000; state.nowMs += 10, before = asked.length) {
    await Promise.allSettled([search.find(), search.find(), search.find()]);
    if (asked.length > before) rounds++;
    expect(asked.length - before).toBeLessThanOrEqual(2);
  }
  // 100, 200, 400, 800 ms, and then each second.
  expect(rounds).toBeGreaterThanOrEqual(11);
  expect(rounds).toBeLessThanOrEqual(13);
  expect(reported).toEqual(['lost']);
  state.primary = B;
  state.nowMs += 1_000;
  const [first, ...others] = await Promise.allSettled([search.find(), search.find(), search.find()]);
  expect(first).toMatchObject({ status: 'fulfilled', value: B });
  expect(others.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await search.find()).toBe(B);
  expect(reported).toEqual(['lost', expect.stringMatching(/^b after \d+$/)]);
});

test('a server that leaves a statement without an answer is asked again; connections go on if it answers', async () => {
  const { search, state, asked, reported } = searchAmong(A, B);
  state.primary = A;
  await search.find();
  asked.length = 0;
  search.suspect(A);
  search.suspect(A);
  expect(search.current).toBe(A);
  await nextTurn();
  expect([asked, search.current]).toEqual([['a'], A]);
  state.primary = B;
  search.suspect(A);
  await nextTurn();
  expect(search.current).toBe(B);
  expect(asked).toEqual(['a', 'a', 'b']);
  expect(reported).toEqual(['a after undefined', 'b after undefined']);
});

test('a server without a free connection is no outage', async () => {
  const { search, reported } = searchAmong(A);
  search.failed(A, new NoFreeConnection('all are in use'));
  expect([await search.find(), search.isDown, reported]).toEqual([A, false, []]);
});

test('no answer at all and other faults have different messages, and each server is named', async () => {
  const { search, state } = searchAmong(A, B);
  await expect(search.find()).rejects.toThrow('a:5432: The database of the service cannot be reached. b:5432:');
  expect(search.isSilent).toBe(true);
  state.nowMs += 1_000;
  let n = 0;
  // A standby that waits for its promotion does not hide that the primary is gone.
  state.fault = () => (n++ === 0 ? standby() : rejected());
  const waiting = await search.find().catch((error: unknown) => error as DatabaseDown);
  expect(waiting).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  expect(search.isSilent).toBe(true);
  state.nowMs += 1_000;
  n = 0;
  state.fault = () => (n++ === 0 ? rejected() : new UnfitDatabase('fsync is off'));
  await expect(search.find()).rejects.toMatchObject({ cause: { message: 'fsync is off' } });
  expect(search.isSilent).toBe(false);
});
