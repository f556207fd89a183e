import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  type AppendOutcome,
  type CommitStats,
  generateLedgerKey,
  Ledger,
  type LedgerOptions,
  type LedgerStore,
  openCheckpoint,
  openLedgerKey,
  verifyConsistency,
  verifyInclusion,
  verifyReceipt,
} from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf, candidatesOf } from '../support/candidates.ts';
import { checkLedger } from '../support/check-ledger.ts';
import { FaultyStore } from '../support/faulty-store.ts';

const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));
const VKEY = KEY.verifierKey;
const NOW = 1_772_000_000_000;

function openOver(store: LedgerStore, options: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return Ledger.open({ store, key: KEY, nowMs: () => NOW, ...options });
}

/** A ledger over a memory store that counts and fails on demand. */
async function freshLedger(options: Partial<LedgerOptions> = {}) {
  const inner = new MemoryLedgerStore();
  const store = new FaultyStore(inner);
  return { inner, store, ledger: await openOver(store, options) };
}

function appendAll(ledger: Ledger, names: readonly string[]): Promise<readonly AppendOutcome[]> {
  return Promise.all(names.map((name) => ledger.append(candidateOf(name))));
}

describe('appending', () => {
  test('L12 every entry is answered with a receipt that proves it, also into every later tree', async () => {
    const { inner, ledger } = await freshLedger();
    for (let count = 1; count <= 12; count += 1) {
      const candidates = candidatesOf(count, `round ${count}`);
      const answers = await Promise.all(candidates.map((candidate) => ledger.append(candidate)));
      const head = await checkLedger(inner, VKEY);
      for (const [position, { outcome, record, receipt }] of answers.entries()) {
        expect(outcome).toBe('added');
        expect(receipt?.treeSize).toBe(head.size);
        const claim = { leaf: record.leaf, tlogProof: receipt!.tlogProof, verifierKey: VKEY };
        const verdict = verifyReceipt({ ...claim, content: candidates[position]!.content });
        expect(verdict).toEqual({ ok: true, index: record.index, size: head.size });
      }
      for (let index = 0; index < head.size; index += 1) {
        const record = await ledger.at(index);
        const { tlogProof } = await ledger.receiptFor(record!);
        expect(verifyReceipt({ leaf: record!.leaf, tlogProof, verifierKey: VKEY })).toMatchObject({ ok: true, index });
      }
    }
  });

  test('all that wait share one commit, and the proofs of new entries cost no read', async () => {
    const stats: CommitStats[] = [];
    const { store, ledger } = await freshLedger({ onCommit: (one) => stats.push(one) });
    store.calls.clear();
    await appendAll(ledger, ['a', 'b', 'c', 'd', 'e']);
    expect(Object.fromEntries(store.calls)).toEqual({ commit: 1 });
    expect(stats).toEqual([{ entries: 5, durationMs: 0, size: 5 }]);
  });

  test('what comes while a commit runs goes into the next one, and no commit is larger than the limit', async () => {
    const stats: CommitStats[] = [];
    const { inner, ledger } = await freshLedger({ onCommit: (one) => stats.push(one), maxBatch: 4 });
    const answers = await Promise.all(candidatesOf(10).map((candidate) => ledger.append(candidate)));
    expect(stats.map(({ entries }) => entries)).toEqual([4, 4, 2]);
    expect(answers.map(({ record }) => record.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await checkLedger(inner, VKEY);
  });

  test('the same content again is present at the same index, with a receipt against the current tree', async () => {
    const { ledger } = await freshLedger();
    await appendAll(ledger, ['a', 'b']);
    await appendAll(ledger, ['c']);
    const again = await ledger.append(candidateOf('a'));
    expect(again).toMatchObject({ outcome: 'present', record: { index: 0 }, receipt: { treeSize: 3, leafIndex: 0 } });
    const { tlogProof } = again.receipt!;
    expect(verifyReceipt({ leaf: again.record.leaf, tlogProof, verifierKey: VKEY })).toMatchObject({ ok: true });
  });

  test('other content under the same name is a conflict, and gets no receipt', async () => {
    const { inner, ledger } = await freshLedger();
    await appendAll(ledger, ['a']);
    const other = await ledger.append(candidateOf('a', 'other content'));
    expect(other).toMatchObject({ outcome: 'conflict', record: { index: 0 }, receipt: undefined });
    expect((await checkLedger(inner, VKEY)).size).toBe(1);
  });

  test('one name several times in one batch: the first goes in, the others learn what became of it', async () => {
    const { inner, store, ledger } = await freshLedger();
    store.calls.clear();
    const answers = await Promise.all([
      ledger.append(candidateOf('a')),
      ledger.append(candidateOf('a', 'other content')),
      ledger.append(candidateOf('a')),
      ledger.append(candidateOf('a', 'content of a', 'another scope')),
    ]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['added', 'conflict', 'present', 'added']);
    expect(answers.map(({ record }) => record.index)).toEqual([0, 0, 0, 1]);
    expect(answers[2]?.receipt).toEqual(answers[0]?.receipt);
    expect(store.calls.get('commit')).toBe(1);
    await checkLedger(inner, VKEY);
  });

  test('one batch mixes new, present and conflicting candidates', async () => {
    const { inner, ledger } = await freshLedger();
    await appendAll(ledger, ['a', 'b']);
    const answers = await Promise.all([
      ledger.append(candidateOf('b', 'other content')),
      ledger.append(candidateOf('c')),
      ledger.append(candidateOf('a')),
      ledger.append(candidateOf('b')),
    ]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['conflict', 'added', 'present', 'present']);
    for (const { record, receipt } of answers.slice(1)) {
      const claim = { leaf: record.leaf, tlogProof: receipt!.tlogProof, verifierKey: VKEY };
      expect(verifyReceipt(claim)).toEqual({ ok: true, index: record.index, size: 3 });
    }
    await checkLedger(inner, VKEY);
  });

  test('L13 the times of entries never go back, whatever the clock does', async () => {
    const times = [NOW, NOW - 86_400_000, NOW + 5, NOW + 4, NOW + 4];
    let call = 0;
    const { inner, ledger } = await freshLedger({ nowMs: () => times[Math.floor(call / 3)] ?? 0 });
    const recorded: number[] = [];
    for (const [position] of times.entries()) {
      call = position * 3;
      recorded.push((await ledger.append(candidateOf(`at ${position}`))).record.recordedAtMs);
    }
    expect(recorded).toEqual([NOW, NOW, NOW + 5, NOW + 5, NOW + 5]);
    await checkLedger(inner, VKEY);
  });

  test('drain waits for everything that was queued', async () => {
    const { ledger } = await freshLedger({ maxBatch: 2 });
    const settled: number[] = [];
    for (const candidate of candidatesOf(5))
      void ledger.append(candidate).then(({ record }) => settled.push(record.index));
    await ledger.drain();
    expect(settled).toEqual([0, 1, 2, 3, 4]);
    expect(ledger.size).toBe(5);
    await ledger.drain();
  });
});

describe('L16 withdrawing', () => {
  test('a candidate whose caller gave up before it was handed over is not recorded', async () => {
    const { inner, ledger } = await freshLedger();
    const giveUp = new AbortController();
    const withdrawn = ledger.append(candidateOf('a'), giveUp.signal);
    const kept = ledger.append(candidateOf('b'));
    giveUp.abort();
    await expect(withdrawn).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
    expect((await kept).record.index).toBe(0);
    expect(await ledger.find('', 'a')).toBeUndefined();
    await checkLedger(inner, VKEY);
  });

  test('a signal that was aborted before is rejected at once, a deadline as such', async () => {
    const { store, ledger } = await freshLedger();
    store.calls.clear();
    const deadline = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
    await expect(ledger.append(candidateOf('a'), deadline)).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    await expect(ledger.append(candidateOf('a'), AbortSignal.abort())).rejects.toMatchObject({
      reason: 'CALL_CANCELLED',
    });
    await ledger.drain();
    expect(store.calls.size).toBe(0);
  });

  test('once it was handed over, the outcome stands', async () => {
    const inner = new MemoryLedgerStore();
    const giveUp = new AbortController();
    const commit = inner.commit.bind(inner);
    inner.commit = async (candidates, seal) => {
      giveUp.abort();
      await nextTurn();
      return commit(candidates, seal);
    };
    const ledger = await openOver(inner);
    expect(await ledger.append(candidateOf('a'), giveUp.signal)).toMatchObject({
      outcome: 'added',
      record: { index: 0 },
    });
  });

  test('when the first of a name withdraws, the next one goes in', async () => {
    const { ledger } = await freshLedger();
    const giveUp = new AbortController();
    const first = ledger.append(candidateOf('a'), giveUp.signal);
    const second = ledger.append(candidateOf('a'));
    giveUp.abort();
    await expect(first).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
    expect(await second).toMatchObject({ outcome: 'added' });
  });
});

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

  test('is told as LEDGER_UNAVAILABLE with its cause, when it throws something of its own', async () => {
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
      [0, 3, 0, 'The tree size must be from 1 to 3, and is 0.'],
      [-1, 3, -1, 'The tree size must be from 1 to 3, and is -1.'],
      [3, 2, 3, 'The first tree size, 3, is greater than the second, 2.'],
      [4, 2, 4, 'The tree size must be from 1 to 3, and is 4.'],
      [1, 4, 4, 'The tree size must be from 1 to 3, and is 4.'],
      [1, 0, 0, 'The tree size must be from 1 to 3, and is 0.'],
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
