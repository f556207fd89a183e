import { describe, expect, test } from 'vitest';
import type { KeySetContent } from '../../src/trust/key-set.ts';
import { readKeySet } from '../../src/trust/key-set.ts';
import { RemoteKeySet } from '../../src/trust/remote-key-set.ts';
import { type IssuerKey, issuerKey } from '../support/jwks.ts';

const times = { refreshMs: 300_000, cooldownMs: 30_000, maxStaleMs: 3_600_000 };
const [old, fresh] = [issuerKey('old'), issuerKey('fresh')];

const contentOf = (...keys: readonly IssuerKey[]): KeySetContent =>
  readKeySet(Buffer.from(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })), false);

/** A set whose server does what `answer` says, at a time that stands until it is moved. */
function held(overrides: Partial<typeof times> = {}) {
  const said: string[] = [];
  const state = {
    nowMs: 1_000_000,
    fetches: 0,
    underway: 0,
    mostUnderway: 0,
    answer: (): KeySetContent | Promise<KeySetContent> => contentOf(old),
  };
  const set = new RemoteKeySet(
    { ...times, ...overrides },
    {
      nowMs: () => state.nowMs,
      load: async () => {
        state.fetches++;
        state.mostUnderway = Math.max(state.mostUnderway, ++state.underway);
        try {
          return await state.answer();
        } finally {
          state.underway--;
        }
      },
      events: {
        taken: ({ keys }, isNews) => void said.push(`${isNews ? 'news' : 'same'} ${keys.map(({ kid }) => kid).join()}`),
        failed: (why, isNews) => void said.push(`${isNews ? 'failed' : 'still'} ${why}`),
        expired: () => void said.push('expired'),
      },
    },
  );
  /** Lets time pass, and looks. */
  const pass = async (ms: number) => {
    state.nowMs += ms;
    set.look();
    await set.settled();
  };
  const down = (): never => {
    throw new Error('down');
  };
  return { set, state, said, pass, down, kids: () => [...set.keys.keys()] };
}

describe('the keys of an issuer', () => {
  test('are fetched at once, and again after the refresh and not before', async () => {
    const { state, said, pass, kids } = held();
    await pass(0);
    expect(kids()).toEqual(['old']);
    await pass(299_999);
    expect(state.fetches).toBe(1);
    state.answer = () => contentOf(old, fresh);
    await pass(1);
    expect(kids()).toEqual(['old', 'fresh']);
    await pass(300_000);
    expect(said).toEqual(['news old', 'news old,fresh', 'same old,fresh']);
  });

  test('are the same objects for as long as they are the same keys', async () => {
    const { set, state, pass } = held();
    await pass(0);
    const before = set.keys.get('old');
    state.answer = () => contentOf(old, fresh);
    await pass(300_000);
    expect(set.keys.get('old')).toBe(before);
    state.answer = () => contentOf(issuerKey('old'));
    await pass(300_000);
    expect(set.keys.get('old')).not.toBe(before);
  });

  test('what is wrong with a key is news once', async () => {
    const { state, said, pass } = held();
    state.answer = () =>
      readKeySet(Buffer.from(JSON.stringify({ keys: [old.jwk, { ...fresh.jwk, use: 'enc' }] })), false);
    await pass(0);
    await pass(300_000);
    state.answer = () => contentOf(old);
    await pass(300_000);
    expect(said).toEqual(['news old', 'same old', 'news old']);
  });

  test('nothing is fetched, and nothing taken, after the end', async () => {
    const { set, state, said } = held();
    const answer = Promise.withResolvers<KeySetContent>();
    state.answer = () => answer.promise;
    set.look();
    set.stop();
    answer.resolve(contentOf(old));
    await set.settled();
    state.nowMs += 1_000_000;
    expect(set.want().state).toBe('cooling');
    set.look();
    expect([state.fetches, said, set.keys.size]).toEqual([1, [], 0]);
  });
});

describe('K7: a server that is down', () => {
  test('leaves the last good set in force until it is too old, and then none; it is asked once a cooldown', async () => {
    const { state, said, pass, down, kids } = held();
    await pass(0);
    state.answer = down;
    await pass(300_000);
    await pass(29_999);
    expect(state.fetches).toBe(2);
    await pass(1);
    expect(state.fetches).toBe(3);
    await pass(3_600_000 - 330_000);
    expect(kids()).toEqual(['old']);
    await pass(1);
    expect(kids()).toEqual([]);
    expect(said).toEqual(['news old', 'failed down', 'still down', 'still down', 'expired']);
    state.answer = () => contentOf(old);
    await pass(30_000);
    expect(kids()).toEqual(['old']);
    expect(said.at(-1)).toBe('news old');
  });

  test('keys that are too old count no more even where nobody looked meanwhile', async () => {
    const { set, state, pass, kids } = held();
    await pass(0);
    state.nowMs += 3_600_001;
    expect(kids()).toEqual([]);
    expect(set.keys.get('old')).toBeUndefined();
  });

  test('has nothing to give where it was never reached', async () => {
    const { set, state, pass, down, kids } = held();
    state.answer = down;
    await pass(0);
    expect(kids()).toEqual([]);
    expect(set.want()).toEqual({ state: 'cooling', forMs: 30_000 });
  });

  test('a set is as old as the fetch that brought it', async () => {
    const { set, state, kids } = held();
    const answer = Promise.withResolvers<KeySetContent>();
    state.answer = () => answer.promise;
    set.look();
    state.nowMs += 4_000;
    answer.resolve(contentOf(old));
    await set.settled();
    state.nowMs += 3_600_000 - 4_000;
    expect(kids()).toEqual(['old']);
    state.nowMs += 1;
    expect(kids()).toEqual([]);
  });
});

describe('K5: a rotation', () => {
  test('a key that signs before it is published is known within the cooldown, and an old one is gone with its set', async () => {
    const { set, state, pass, kids } = held();
    await pass(0);
    // The new key signs already; the set does not show it yet.
    state.nowMs += 60_000;
    expect(set.want()).toEqual({ state: 'loading' });
    await set.settled();
    expect(kids()).toEqual(['old']);
    state.answer = () => contentOf(fresh);
    state.nowMs += 29_999;
    expect(set.want()).toEqual({ state: 'cooling', forMs: 1 });
    state.nowMs += 1;
    expect(set.want()).toEqual({ state: 'loading' });
    await set.settled();
    expect(kids()).toEqual(['fresh']);
    expect(state.fetches).toBe(3);
  });

  test('a set that flaps every 100 ms costs no fetch more, and never gives a key that it does not show', async () => {
    const { set, state, pass, kids } = held();
    await pass(0);
    for (let flap = 0; flap < 1_200; flap++) {
      state.answer = () => contentOf(flap % 2 === 0 ? fresh : old);
      state.nowMs += 100;
      set.want();
      await set.settled();
      expect(kids()).toHaveLength(1);
    }
    // 120 s, of which each fetch needs 30 s.
    expect(state.fetches).toBeLessThanOrEqual(1 + 4);
  });
});

test('K6: 10,000 unknown kids cost one fetch a cooldown, and one is under way at a time', async () => {
  const { set, state, pass } = held();
  await pass(0);
  state.nowMs += 30_000;
  const answer = Promise.withResolvers<KeySetContent>();
  state.answer = () => answer.promise;
  for (let kid = 0; kid < 10_000; kid++) {
    state.nowMs += 10;
    expect(set.want()).toEqual({ state: 'loading' });
  }
  expect([state.fetches, state.mostUnderway]).toEqual([2, 1]);
  answer.resolve(contentOf(old));
  await set.settled();
  for (let kid = 0; kid < 10_000; kid++) set.want();
  await set.settled();
  expect([state.fetches, state.mostUnderway]).toEqual([3, 1]);
});
