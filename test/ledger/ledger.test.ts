import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type CommitStats, verifyReceipt } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf, candidatesOf } from '../support/candidates.ts';
import { checkLedger } from '../support/check-ledger.ts';
import { appendAll, freshLedger, NOW, openOver, VKEY } from './open.ts';

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
