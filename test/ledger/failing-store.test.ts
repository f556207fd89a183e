// A ledger over a store that fails, that another ledger writes too, or that answers with something else than was written.

import { describe, expect, test } from 'vitest';
import { openCheckpoint, verifyReceipt } from '../../src/ledger/index.ts';
import { verifyConsistency, verifyInclusion } from '../../src/ledger/verify-proof.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf, candidatesOf } from '../support/candidates.ts';
import { checkLedger } from '../support/check-ledger.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { appendAll, freshLedger, openOver, VKEY } from './open.ts';

describe('a storage that fails', () => {
  test('rejects everybody who waited, and the retry settles a write that was lost: added', async () => {
    const { inner, store, ledger } = await freshLedger();
    store.plan('lost');
    const [a, b] = [ledger.append(candidateOf('a')), ledger.append(candidateOf('b'))];
    await expect(a).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    await expect(b).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    expect((await checkLedger(inner, VKEY)).size).toBe(0);
    const answers = await appendAll(ledger, ['a', 'b']);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['added', 'added']);
    expect((await checkLedger(inner, VKEY)).size).toBe(2);
  });

  test('and the retry settles a write that landed: present', async () => {
    const { inner, store, ledger } = await freshLedger();
    store.plan('landed');
    await expect(appendAll(ledger, ['a', 'b'])).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    const answers = await appendAll(ledger, ['a', 'b', 'c']);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['present', 'present', 'added']);
    for (const { record, receipt } of answers) {
      const claim = { leaf: record.leaf, tlogProof: receipt!.tlogProof, verifierKey: VKEY };
      expect(verifyReceipt(claim)).toEqual({ ok: true, index: record.index, size: 3 });
    }
    expect((await checkLedger(inner, VKEY)).size).toBe(3);
  });

  test('L11 never leads to two heads over the same entries, however it fails', async () => {
    const { inner, store, ledger } = await freshLedger({ maxBatch: 3 });
    const notes: string[] = [];
    const pattern = ['landed', 'lost', 'none', 'lost', 'landed', 'landed', 'none'] as const;
    for (let round = 0; round < 30; round += 1) {
      store.plan(pattern[round % pattern.length]!);
      const [name, other] = [`entry ${round}`, `entry ${Math.floor(round / 2)}`];
      await Promise.allSettled([ledger.append(candidateOf(name)), ledger.append(candidateOf(other))]);
      notes.push((await checkLedger(inner, VKEY)).checkpoint);
    }
    const heads = notes.map((note) => openCheckpoint(note, VKEY)).filter((head) => head.ok);
    expect(heads.length).toBe(30);
    for (const first of heads) {
      for (const second of heads) {
        if (first.size === 0 || first.size > second.size) continue;
        const { hashes } = await ledger.consistencyProof(first.size, second.size);
        const roots = { firstRoot: first.root, secondRoot: second.root };
        expect(verifyConsistency({ firstSize: first.size, secondSize: second.size, hashes, ...roots })).toBe(true);
      }
    }
  });

  test('is LEDGER_UNAVAILABLE with its cause, when it throws something of its own', async () => {
    const inner = new MemoryLedgerStore();
    const ledger = await openOver(inner);
    const cause = new Error('EIO');
    inner.commit = () => Promise.reject(cause);
    await expect(ledger.append(candidateOf('a'))).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE', cause });
  });

  test('in reading harms nobody whose entry was just added', async () => {
    const { inner, store, ledger } = await freshLedger();
    await appendAll(ledger, ['a']);
    store.failReads(true);
    const answers = await Promise.allSettled([ledger.append(candidateOf('b')), ledger.append(candidateOf('a'))]);
    expect(answers[0]).toMatchObject({ status: 'fulfilled', value: { outcome: 'added' } });
    expect(answers[1]).toMatchObject({ status: 'rejected', reason: { reason: 'LEDGER_UNAVAILABLE' } });
    store.failReads(false);
    await checkLedger(inner, VKEY);
  });

  test('while the ledger starts is settled by opening it again', async () => {
    for (const fault of ['lost', 'landed'] as const) {
      const store = new FaultyStore(new MemoryLedgerStore());
      store.plan(fault);
      const opening = openOver(store);
      if (fault === 'lost') await expect(opening).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
      else expect((await opening).size).toBe(0);
      expect((await (await openOver(store)).append(candidateOf('a'))).record.index).toBe(0);
    }
  });
});

describe('two ledgers over one store', () => {
  test('L10 continue the same tree, and each sees what the other did', async () => {
    const store = new MemoryLedgerStore();
    const [one, two] = [await openOver(store), await openOver(store)];
    const answers = await Promise.all(
      candidatesOf(40).flatMap((candidate, position) =>
        position % 2 === 0
          ? [one.append(candidate), two.append(candidate)]
          : [two.append(candidate), one.append(candidate)],
      ),
    );
    const added = answers.filter(({ outcome }) => outcome === 'added');
    expect(added.map(({ record }) => record.index).sort((a, b) => a - b)).toEqual([...Array(40).keys()]);
    expect(answers.filter(({ outcome }) => outcome === 'present').length).toBe(40);
    expect((await one.checkpoint()).note).toBe((await two.checkpoint()).note);
    expect([one.size, two.size]).toEqual([40, 40]);
    await checkLedger(store, VKEY);
  });
});

describe('reading', () => {
  test('the checkpoint of a new ledger is signed, over the empty tree', async () => {
    const { ledger } = await freshLedger();
    const { note, size, root, origin, verifierKey } = await ledger.checkpoint();
    expect(openCheckpoint(note, VKEY)).toEqual({ ok: true, origin: 'ledger.example/ect', size: 0, root });
    expect({ size, origin, verifierKey }).toEqual({ size: 0, origin: 'ledger.example/ect', verifierKey: VKEY });
  });

  test('L12 every entry is proven in every tree that has it', async () => {
    const { ledger } = await freshLedger();
    await Promise.all(candidatesOf(19).map((candidate) => ledger.append(candidate)));
    for (let size = 1; size <= 19; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = await ledger.inclusionProof(index, size);
        expect(proof).toMatchObject({ index, size });
        expect(verifyInclusion(proof)).toBe(true);
      }
    }
    const { root } = await ledger.checkpoint();
    expect(await ledger.inclusionProof(3)).toMatchObject({ size: 19, root });
  });

  test('indexes and sizes that are not there are rejected by name', async () => {
    const { ledger } = await freshLedger();
    await expect(ledger.inclusionProof(0)).rejects.toMatchObject({ reason: 'INDEX_OUT_OF_RANGE' });
    await expect(ledger.consistencyProof(1)).rejects.toMatchObject({ reason: 'TREE_SIZE_INVALID' });
    await appendAll(ledger, ['a', 'b', 'c']);
    for (const index of [-1, 3, 0.5, Number.NaN]) {
      await expect(ledger.inclusionProof(index)).rejects.toMatchObject({ reason: 'INDEX_OUT_OF_RANGE' });
    }
    for (const size of [0, 1, 4, 2.5]) {
      const rejected = { reason: 'TREE_SIZE_INVALID', metadata: { tree_size: String(size) } };
      await expect(ledger.inclusionProof(1, size)).rejects.toMatchObject(rejected);
    }
    for (const [first, second, named, message] of [
      [0, 3, 0, 'The first tree size must be from 1 to 3, and is 0.'],
      [-1, 3, -1, 'The first tree size must be from 1 to 3, and is -1.'],
      [3, 2, 3, 'The first tree size, 3, is greater than the second, 2.'],
      [4, 2, 4, 'The first tree size must be from 1 to 3, and is 4.'],
      [1, 4, 4, 'The second tree size must be from 1 to 3, and is 4.'],
      [1, 0, 0, 'The second tree size must be from 1 to 3, and is 0.'],
    ] as const) {
      const rejected = { reason: 'TREE_SIZE_INVALID', message, metadata: { tree_size: String(named) } };
      await expect(ledger.consistencyProof(first, second)).rejects.toMatchObject(rejected);
    }
    expect(await ledger.consistencyProof(3)).toEqual({ first: 3, second: 3, hashes: [] });
  });

  test('records are found by index, by name and by query', async () => {
    const { ledger } = await freshLedger();
    await appendAll(ledger, ['a', 'b', 'c']);
    expect(await ledger.at(3)).toBeUndefined();
    expect(await ledger.find('', 'b')).toMatchObject({ index: 1 });
    const found = await ledger.lookUp('', ['c', 'a', 'none'], 'nearest');
    expect(found.map((record) => record?.index)).toEqual([2, 0, undefined]);
    const query = { author: 'urn:test', startIndex: 1, limit: 10, withContent: false };
    expect((await ledger.list(query)).map(({ name }) => name)).toEqual(['b', 'c']);
  });
});
