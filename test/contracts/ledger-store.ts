// What every LedgerStore must keep of its promises, whichever technology is beneath.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DocumentStore } from '../../src/ledger/document-store.ts';
import type { LedgerStore } from '../../src/ledger/store.ts';
import { checkStore } from '../support/check-store.ts';
import { rounds } from '../support/full.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../support/honest-seal.ts';
import { plain } from '../support/plain.ts';
import { ledgerOpeningsContract } from './ledger-openings.ts';
import { ledgerReadsContract } from './ledger-reads.ts';

/** Commits of one name. */
const AT_ONCE = rounds(1_000, 200);

/** An adapter on storage of its own. */
export interface LedgerStoreFixture {
  /** Opens the storage, again where it was open before. Without: the adapter keeps nothing and shares nothing. */
  readonly open?: () => Promise<LedgerStore & DocumentStore>;
  /** A store that was never written. */
  readonly store: LedgerStore & DocumentStore;
  dispose(): Promise<void>;
}

export function ledgerStoreContract(name: string, makeFixture: () => Promise<LedgerStoreFixture>): void {
  describe(`${name} keeps the promises of LedgerStore`, () => {
    let fixture: LedgerStoreFixture;
    let store: LedgerStore & DocumentStore;

    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterEach(() => fixture.dispose());

    const started = () => store.initialise(EMPTY_HEAD, 'test+key');

    test('a store that was never written has no head, no identity and no entries', async () => {
      expect(await store.head()).toBeUndefined();
      expect(await store.identity()).toBeUndefined();
      expect(await store.at(0)).toBeUndefined();
      expect(await checkStore(store)).toEqual([]);
      await expect(store.commit([candidate('a')], honestSeal())).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
    });

    test('the first head and the identity are kept, and a second initialisation is rejected and changes nothing', async () => {
      await store.initialise({ ...EMPTY_HEAD, checkpoint: 'first' }, 'key one');
      await expect(store.initialise({ ...EMPTY_HEAD, checkpoint: 'second' }, 'key two')).rejects.toMatchObject({
        reason: 'LEDGER_CORRUPT',
      });
      expect(await store.head()).toEqual({ ...EMPTY_HEAD, checkpoint: 'first' });
      expect(await store.identity()).toBe('key one');
    });

    test('a committed record reads back as it was sealed, by index and by name', async () => {
      await started();
      const wanted = candidate('a', { scope: 'flow', author: 'grace', content: '' });
      const { placements, batch, head } = await store.commit([wanted], honestSeal(1_234));
      expect(placements).toEqual([{ added: true, record: batch?.records[0] }]);
      expect(plain(await store.head())).toEqual(plain(head));
      const record = plain(batch!.records[0]!);
      expect(record).toMatchObject({ index: 0, scope: 'flow', name: 'a', author: 'grace', recordedAtMs: 1_234 });
      expect(plain(await store.at(0))).toEqual(record);
      expect(plain(await store.find('flow', 'a'))).toEqual(record);
      expect(await store.find('', 'a')).toBeUndefined();
      expect(await store.find('a', 'flow')).toBeUndefined();
      expect(await store.at(1)).toBeUndefined();
      expect(await store.at(-1)).toBeUndefined();
      expect(await store.at(0.5)).toBeUndefined();
    });

    test('a provenance reads back as it was sealed wherever the content is read, and nowhere else', async () => {
      await started();
      const provenance = Buffer.from('{"caller":"spiffe://prod.example/a"}');
      const { batch } = await store.commit([{ ...candidate('a'), provenance }, candidate('b')], honestSeal());
      const [first, second] = batch!.records;
      expect(Buffer.from(first!.provenance!).subarray(32)).toEqual(provenance);
      expect(second!.provenance).toBeNull();
      expect(plain(await store.at(0))).toEqual(plain(first!));
      expect(plain(await store.find('', 'a'))).toEqual(plain(first!));
      expect(plain(await store.find('', 'b'))).toEqual(plain(second!));
      const listed = (withContent: boolean) => store.list({ startIndex: 0, limit: 2, withContent });
      expect(plain(await listed(true))).toEqual(plain(batch!.records));
      expect((await listed(false)).map((record) => record.provenance)).toEqual([null, null]);
      const again = await store.commit([{ ...candidate('a'), provenance: Buffer.from('other') }], honestSeal());
      expect(plain(again.placements[0]!.record)).toEqual(plain(first!));
    });

    test('a document is kept as it was first handed in, and found by its digest', async () => {
      await started();
      expect([await store.documents(), await store.document('one')]).toEqual([[], undefined]);
      await store.keepDocument({ digest: 'one', content: Buffer.from('first') });
      await Promise.all(
        ['one', 'two', 'Two'].map((digest) => store.keepDocument({ digest, content: Buffer.from('second') })),
      );
      expect(await store.documents()).toEqual(['Two', 'one', 'two']);
      const textOf = async (digest: string) => Buffer.from((await store.document(digest))!.content).toString();
      expect([await textOf('one'), await textOf('two')]).toEqual(['first', 'second']);
      expect((await store.head())?.size).toBe(0);
    });

    test('what is kept does not change when the caller reuses its buffers', async () => {
      await started();
      const wanted = candidate('a', { content: 'before' });
      await store.commit([wanted], honestSeal());
      wanted.content.fill(0);
      wanted.digest.fill(0);
      const record = await store.find('', 'a');
      expect(Buffer.from(record!.content!).toString()).toBe('before');
      expect(plain(record!.digest)).toEqual(plain(candidate('a', { content: 'before' }).digest));
    });

    test('R6: a name that is there is answered with the first record, and the ledger does not grow', async () => {
      await started();
      const first = await store.commit([candidate('a', { content: 'first' })], honestSeal(1));
      const again = await store.commit([candidate('a', { content: 'second' })], () => {
        throw new Error('nothing is new, so nothing is sealed');
      });
      expect(again.batch).toBeUndefined();
      expect(plain(again.head)).toEqual(plain(first.head));
      expect(plain(again.placements)).toEqual([{ added: false, record: plain(first.placements[0]!.record) }]);
      expect(await checkStore(store)).toHaveLength(1);
    });

    test('R4: a name is unique in its scope, and free in every other, whatever characters they hold', async () => {
      await started();
      const pairs = [
        ['', 'a'],
        ['a', ''],
        ['a', 'a'],
        ['a,a', ''],
        ['', 'a,a'],
        ['"', '\\'],
        ['é', 'e\u0301'],
        ['%', '_'],
        ["'", '--'],
      ] as const;
      const all = pairs.map(([scope, name]) => candidate(name, { scope }));
      const { placements } = await store.commit(all, honestSeal());
      expect(placements.every(({ added }) => added)).toBe(true);
      for (const [index, [scope, name]] of pairs.entries()) {
        expect(await store.find(scope, name)).toMatchObject({ index, scope, name });
      }
    });

    test('old and new candidates of one commit are placed in the order in which they were handed in', async () => {
      await started();
      await store.commit([candidate('b'), candidate('d')], honestSeal());
      const { placements, batch } = await store.commit(
        ['a', 'b', 'c', 'd'].map((name) => candidate(name)),
        honestSeal(),
      );
      expect(placements.map(({ added, record }) => [added, record.name, record.index])).toEqual([
        [true, 'a', 2],
        [false, 'b', 0],
        [true, 'c', 3],
        [false, 'd', 1],
      ]);
      expect(batch?.records.map(({ name }) => name)).toEqual(['a', 'c']);
      await checkStore(store);
    });

    test('a commit of no candidates changes nothing', async () => {
      await started();
      expect(await store.commit([], honestSeal())).toEqual({ placements: [], batch: undefined, head: EMPTY_HEAD });
    });

    test('an exception of the seal leaves nothing behind, passes through as it is, and the next commit works', async () => {
      await started();
      const failure = new Error('the signer is away');
      const failing = () => {
        throw failure;
      };
      await expect(store.commit([candidate('a')], failing)).rejects.toBe(failure);
      expect(await store.head()).toEqual(EMPTY_HEAD);
      expect(await store.find('', 'a')).toBeUndefined();
      const { placements } = await store.commit([candidate('a')], honestSeal());
      expect(placements[0]).toMatchObject({ added: true, record: { index: 0 } });
      await checkStore(store);
    });

    test('a batch that does not continue the head is rejected as a bug, and nothing of it stays', async () => {
      await started();
      await store.commit([candidate('a')], honestSeal(500));
      const dishonest: Record<string, Parameters<LedgerStore['commit']>[1]> = {
        'a gap in the indexes': (head, fresh) => {
          const batch = honestSeal(500)(head, fresh);
          return { ...batch, records: batch.records.map((record) => ({ ...record, index: record.index + 1 })) };
        },
        'a head that is too small': (head, fresh) => ({ ...honestSeal(500)(head, fresh), head }),
        'a lost record': (head, fresh) => ({ ...honestSeal(500)(head, fresh), records: [] }),
        'another name': (head, fresh) => honestSeal(500)(head, [candidate('z'), ...fresh.slice(1)]),
        'a lost node': (head, fresh) => {
          const batch = honestSeal(500)(head, fresh);
          return { ...batch, nodes: batch.nodes.slice(1) };
        },
        'a node twice': (head, fresh) => {
          const batch = honestSeal(500)(head, fresh);
          return { ...batch, nodes: batch.nodes.map(() => batch.nodes[0]!) };
        },
        'a time that goes back': (head, fresh) => honestSeal(499)({ ...head, recordedAtMs: 0 }, fresh),
      };
      for (const [fault, seal] of Object.entries(dishonest)) {
        await expect(store.commit([candidate('b'), candidate('c')], seal), fault).rejects.toThrow(TypeError);
      }
      await expect(store.commit([candidate('b'), candidate('b')], honestSeal()), 'twins').rejects.toThrow(TypeError);
      expect(await checkStore(store)).toHaveLength(1);
    });

    test('L12: after any sequence of batches every complete subtree is kept, in every size up to 70', async () => {
      await started();
      for (let size = 0, batch = 1; size < 70; batch = (batch % 5) + 1) {
        const names = Array.from({ length: batch }, (_, place) => candidate(`task ${size + place}`));
        await store.commit(names, honestSeal(size));
        size += batch;
        expect(await checkStore(store)).toHaveLength(size);
      }
    });

    test('nodes come in the order asked, and a node that is not complete is LEDGER_CORRUPT', async () => {
      await started();
      const names = Array.from({ length: 11 }, (_, place) => candidate(`task ${place}`));
      const { batch } = await store.commit(names, honestSeal());
      const asked = [...batch!.nodes].reverse();
      expect(plain(await store.nodes(asked))).toEqual(asked.map(({ hash }) => plain(hash)));
      expect(await store.nodes([])).toEqual([]);
      const absent = [
        { level: 0, index: 11 },
        { level: 1, index: 5 },
        { level: 2, index: 2 },
        { level: 4, index: 0 },
      ];
      for (const place of absent) {
        await expect(store.nodes([asked[0]!, place])).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
      }
    });

    test('the times that the seal sets are kept, and equal times are allowed', async () => {
      await started();
      await store.commit([candidate('a')], honestSeal(20));
      await store.commit([candidate('b')], honestSeal(10));
      expect((await store.at(1))?.recordedAtMs).toBe(20);
      expect((await store.head())?.recordedAtMs).toBe(20);
    });

    test(`of ${AT_ONCE.toLocaleString('en')} commits of one name at once exactly one adds it, and all answer the same record`, async () => {
      await started();
      const results = await Promise.all(
        Array.from({ length: AT_ONCE }, (_, caller) =>
          store.commit([candidate('a', { content: `${caller}` })], honestSeal()),
        ),
      );
      const placements = results.flatMap((result) => result.placements);
      expect(placements.filter(({ added }) => added)).toHaveLength(1);
      expect(new Set(placements.map(({ record }) => Buffer.from(record.content!).toString())).size).toBe(1);
      expect(await checkStore(store)).toHaveLength(1);
    });

    test('a closed store rejects every call with LEDGER_UNAVAILABLE, and may be closed again', async () => {
      await started();
      await store.close();
      await store.close();
      const calls = [
        store.head(),
        store.identity(),
        store.commit([candidate('a')], honestSeal()),
        store.at(0),
        store.find('', 'a'),
        store.lookUp('', ['a'], 'nearest'),
        store.list({ startIndex: 0, limit: 1, withContent: false }),
        store.nodes([{ level: 0, index: 0 }]),
      ];
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: 'rejected', reason: { reason: 'LEDGER_UNAVAILABLE' } });
      }
    });
  });
  ledgerReadsContract(name, makeFixture);
  ledgerOpeningsContract(name, makeFixture);
}
