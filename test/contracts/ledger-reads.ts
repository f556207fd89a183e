// What every LedgerStore must keep of its promises about reading: look-ups, lists and walks.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import { type LedgerStore, MAX_LOOKUP_NAMES } from '../../src/ledger/store.ts';
import { walkRecords } from '../../src/ledger/walk.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../support/honest-seal.ts';
import type { LedgerStoreFixture } from './ledger-store.ts';

export function ledgerReadsContract(name: string, makeFixture: () => Promise<LedgerStoreFixture>): void {
  describe(`${name} keeps the promises of LedgerStore about reading`, () => {
    let fixture: LedgerStoreFixture;
    let store: LedgerStore;

    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterEach(() => fixture.dispose());

    const started = () => store.initialise(EMPTY_HEAD, 'test+key');

    test('a name means the record of its scope, else the one without, else that of the first scope in the order of bytes', async () => {
      await started();
      const places = [
        ['', 'a'],
        ['x', 'a'],
        ['x', 'b'],
        ['m', 'b'],
        ['\u{1f600}', 'b'],
        ['\uffee', 'c'],
        ['\u{1f600}', 'c'],
        ['y', 'd'],
        ['', 'd'],
      ] as const;
      await store.commit(
        places.map(([scope, name]) => candidate(name, { scope })),
        honestSeal(),
      );
      const names = ['a', 'b', 'missing', 'c', 'a', '', 'd'];
      const indexes = async (scope: string, reach: 'scope' | 'nearest') =>
        (await store.lookUp(scope, names, reach)).map((record) => record?.index);
      expect(await indexes('x', 'nearest')).toEqual([1, 2, undefined, 5, 1, undefined, 8]);
      expect(await indexes('z', 'nearest')).toEqual([0, 3, undefined, 5, 0, undefined, 8]);
      expect(await indexes('', 'nearest')).toEqual([0, 3, undefined, 5, 0, undefined, 8]);
      expect(await indexes('x', 'scope')).toEqual([1, 2, undefined, undefined, 1, undefined, undefined]);
      expect(await indexes('', 'scope')).toEqual([0, undefined, undefined, undefined, 0, undefined, 8]);
      const [record] = await store.lookUp('x', ['a'], 'nearest');
      expect(record).toMatchObject({ scope: 'x', name: 'a', content: null, salt: null });
      expect(await store.lookUp('x', [], 'nearest')).toEqual([]);
    });

    test('H23: a look-up of one hundred names answers one record each, however many scopes share them; more is a bug', async () => {
      await started();
      const names = Array.from({ length: MAX_LOOKUP_NAMES }, (_, place) => `task ${place}`);
      for (let scope = 0; scope < 20; scope++) {
        const all = names.map((name) => candidate(name, { scope: `scope ${String(scope).padStart(2, '0')}` }));
        await store.commit(all, honestSeal());
      }
      const found = await store.lookUp('elsewhere', names, 'nearest');
      expect(found.map((record) => record?.index)).toEqual([...names.keys()]);
      await expect(store.lookUp('', [...names, 'one more'], 'nearest')).rejects.toThrow(TypeError);
    });

    describe('list', () => {
      /** Indexes 0 to 11: scope x for even ones, author grace for every third, time 100 for every two. */
      beforeEach(async () => {
        await started();
        for (let index = 0; index < 12; index += 2) {
          const two = [index, index + 1].map((place) =>
            candidate(`task ${place}`, {
              scope: place % 2 === 0 ? 'x' : '',
              author: place % 3 === 0 ? 'grace' : 'ada',
            }),
          );
          await store.commit(two, honestSeal(index * 50));
        }
      });

      const all = { startIndex: 0, limit: 100, withContent: false };
      const cases: readonly [string, Partial<Parameters<LedgerStore['list']>[0]>, readonly number[]][] = [
        ['everything', {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
        ['a page', { startIndex: 3, limit: 4 }, [3, 4, 5, 6]],
        ['from an index past the end', { startIndex: 12 }, []],
        ['at most none', { limit: 0 }, []],
        ['of a scope', { scope: 'x' }, [0, 2, 4, 6, 8, 10]],
        ['of the global scope', { scope: '' }, [1, 3, 5, 7, 9, 11]],
        ['of an unknown scope', { scope: 'y' }, []],
        ['of an author', { author: 'grace' }, [0, 3, 6, 9]],
        ['of an author and a scope', { author: 'grace', scope: 'x' }, [0, 6]],
        ['from a time on, that time included', { fromMs: 300 }, [6, 7, 8, 9, 10, 11]],
        ['before a time, that time excluded', { beforeMs: 300 }, [0, 1, 2, 3, 4, 5]],
        ['between two times', { fromMs: 101, beforeMs: 301 }, [4, 5, 6, 7]],
        ['between times the wrong way round', { fromMs: 300, beforeMs: 100 }, []],
        [
          'of a scope, an author and a time, a page',
          { scope: '', author: 'ada', fromMs: 0, startIndex: 2, limit: 2 },
          [5, 7],
        ],
        ['where a later index bounds more than the time', { fromMs: 100, startIndex: 9, scope: 'x' }, [10]],
        ['up to an index', { startIndex: 2, endIndex: 5 }, [2, 3, 4]],
        ['up to an index past the end', { startIndex: 10, endIndex: 99 }, [10, 11]],
        ['up to the first index', { endIndex: 0 }, []],
        ['of a scope up to an index', { scope: 'x', endIndex: 5 }, [0, 2, 4]],
        ['the newest first', { newestFirst: true }, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
        ['the newest first, a page', { newestFirst: true, endIndex: 9, limit: 3 }, [8, 7, 6]],
        ['the newest first, down to an index', { newestFirst: true, startIndex: 9 }, [11, 10, 9]],
        ['the newest first of a scope, a page', { newestFirst: true, scope: 'x', limit: 2 }, [10, 8]],
        ['the newest first of an author', { newestFirst: true, author: 'grace' }, [9, 6, 3, 0]],
        ['the newest first of an author and a scope', { newestFirst: true, author: 'grace', scope: 'x' }, [6, 0]],
        ['the newest first between two times', { newestFirst: true, fromMs: 101, beforeMs: 301 }, [7, 6, 5, 4]],
        [
          'the newest first where the index bounds more than the time',
          { newestFirst: true, beforeMs: 301, endIndex: 2 },
          [1, 0],
        ],
        ['the newest first of an unknown scope', { newestFirst: true, scope: 'y', author: 'ada' }, []],
      ];
      test.each(cases)('%s', async (_, conditions, indexes) => {
        const listed = await store.list({ ...all, ...conditions });
        expect(listed.map(({ index }) => index)).toEqual(indexes);
      });

      test('content and salt come only when they are wanted', async () => {
        const [without] = await store.list({ ...all, limit: 1 });
        const [withContent] = await store.list({ ...all, limit: 1, withContent: true });
        expect(without).toMatchObject({ content: null, salt: null });
        expect(Buffer.from(withContent!.content!).toString()).toBe('content of task 0');
        expect(withContent!.salt).toHaveLength(32);
      });

      test('walking reads the same records, whatever the size of a page', async () => {
        for (const pageSize of [1, 5, 12, 100]) {
          const indexes: number[] = [];
          for await (const { index } of walkRecords(store, { pageSize, fromIndex: 1, size: 11 })) indexes.push(index);
          expect(indexes).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        }
      });

      test('walking past the last entry is LEDGER_CORRUPT, not an early end', async () => {
        const walk = async () => {
          for await (const record of walkRecords(store, { size: 13 })) expect(record.index).toBeLessThan(12);
        };
        await expect(walk()).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
      });
    });

    test('H18: a long page has each entry once, in order, in however many slices it is read', async () => {
      await started();
      const tasks = Array.from({ length: 450 }, (_, place) =>
        candidate(`task ${place}`, { scope: place % 2 === 0 ? 'x' : 'y', author: place % 3 === 0 ? 'grace' : 'ada' }),
      );
      await store.commit(tasks, honestSeal());
      const listed = async (query: object) =>
        (await store.list({ startIndex: 0, limit: 1_000, withContent: false, ...query })).map(({ index }) => index);
      const every = Array.from({ length: 450 }, (_, index) => index);
      for (const limit of [99, 100, 101, 200, 449, 450, 1_000]) {
        expect(await listed({ limit })).toEqual(every.slice(0, limit));
        expect(await listed({ limit, scope: 'x' })).toEqual(every.filter((index) => index % 2 === 0).slice(0, limit));
        expect(await listed({ limit, newestFirst: true })).toEqual(every.toReversed().slice(0, limit));
      }
      const ofBoth = every.filter((index) => index % 6 === 0);
      expect(await listed({ scope: 'x', author: 'grace' })).toEqual(ofBoth);
      expect(await listed({ scope: 'x', author: 'grace', newestFirst: true })).toEqual(ofBoth.toReversed());
    });

    test('H18, H26: entries of a large scope are looked through in slices, and no more once the caller has gone', async () => {
      await started();
      for (let start = 0; start < 6_000; start += 500) {
        const names = Array.from({ length: 500 }, (_, place) => candidate(`task ${start + place}`, { scope: 'x' }));
        await store.commit(names, honestSeal());
      }
      await store.commit([candidate('last', { scope: 'x', author: 'grace' })], honestSeal());
      const query = { scope: 'x', author: 'grace', startIndex: 0, limit: 5, withContent: false };
      let [isRunning, turns] = [true, 0];
      const turn = () => {
        turns++;
        if (isRunning) setImmediate(turn);
      };
      setImmediate(turn);
      expect((await store.list(query)).map(({ index }) => index)).toEqual([6_000]);
      isRunning = false;
      expect((await store.list({ ...query, newestFirst: true })).map(({ index }) => index)).toEqual([6_000]);
      const gone = new AbortController();
      const listing = store.list(query, gone.signal);
      gone.abort(new EctError(reject('CALL_CANCELLED', 'gone')));
      // A store that looks through so few in one turn has nothing to stop.
      if (turns > 1) await expect(listing).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
      else await listing;
    });
  });
}
