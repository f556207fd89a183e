// What every LedgerStore must keep of its promises whose storage can be opened again, later or at the same time.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LedgerStore } from '../../src/ledger/store.ts';
import { checkStore } from '../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../support/honest-seal.ts';
import { plain } from '../support/plain.ts';
import type { LedgerStoreFixture } from './ledger-store.ts';

export function ledgerOpeningsContract(name: string, makeFixture: () => Promise<LedgerStoreFixture>): void {
  describe(`${name} keeps the promises of LedgerStore about opening its storage again`, () => {
    let fixture: LedgerStoreFixture;
    let store: LedgerStore;

    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterEach(() => fixture.dispose());

    const started = () => store.initialise(EMPTY_HEAD, 'test+key');

    test('what was committed is there after the store was closed and opened again', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not durable');
      await started();
      await store.commit([candidate('a'), candidate('b')], honestSeal());
      const before = await checkStore(store);
      await store.close();
      const reopened = await open();
      expect(plain(await checkStore(reopened))).toEqual(plain(before));
      expect(await reopened.identity()).toBe('test+key');
      const { placements } = await reopened.commit([candidate('b'), candidate('c')], honestSeal());
      expect(placements.map(({ added, record }) => [added, record.index])).toEqual([
        [false, 1],
        [true, 2],
      ]);
      await checkStore(reopened);
      await reopened.close();
    });

    test('L10: two stores on the same storage never fork the tree, and each sees what the other committed', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not shared');
      await started();
      const other = await open();
      const commits = Array.from({ length: 200 }, (_, turn) =>
        (turn % 2 === 0 ? store : other).commit(
          [candidate(`own ${turn}`), candidate(`shared ${Math.floor(turn / 2)}`)],
          honestSeal(turn),
        ),
      );
      const results = await Promise.all(commits);
      const added = results.flatMap(({ placements }) => placements).filter((placement) => placement.added);
      expect(added).toHaveLength(300);
      expect(new Set(added.map(({ record }) => record.index)).size).toBe(300);
      expect(plain(await checkStore(store))).toEqual(plain(await checkStore(other)));
      await other.close();
    });
  });
}
