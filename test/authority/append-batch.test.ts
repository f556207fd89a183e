import { describe, expect, test } from 'vitest';
import { planOrder } from '../../src/authority/batch-order.ts';
import { type Appended, type AuthorityContext, appendBatch, type Leaf, readLeaf } from '../../src/authority/index.ts';
import { createYielder } from '../../src/concurrency/yielder.ts';
import { EctError } from '../../src/errors.ts';
import { type Candidate, generateLedgerKey, Ledger, openLedgerKey, type Seal } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import type { Jti } from '../../src/token/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, OTHER_JTI, WID } from '../support/tokens.ts';
import { examineRecorded } from './examine-recorded.ts';
import { anonymous, appendTo, endless, issueFor } from './support.ts';

describe('a batch', () => {
  test('records a later item that follows an earlier one, in whatever order they stand', async () => {
    const { context } = await makeAuthority();
    const root = await issueFor(context, { wid: WID });
    const [left, right] = await Promise.all([1, 2].map(() => issueFor(context, { wid: WID, pred: [root.claims.jti] })));
    const pred = [left!.claims.jti, right!.claims.jti];
    const join = await issueFor(context, { wid: WID, pred });
    const orphan = await issueFor(context, { wid: WID, pred: [OTHER_JTI] });
    const tokens = [join, left!, orphan, right!, root].map(({ token }) => token);
    const results = await appendBatch(context, anonymous, [...tokens, 'x'], endless.signal);
    const reasons = results.map((result) => (result instanceof EctError ? result.reason : 'OK'));
    expect(reasons).toEqual(['OK', 'OK', 'DAG_PREDECESSOR_MISSING', 'OK', 'OK', 'TOKEN_MALFORMED']);
    expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 4, depth: 3 });
  });

  test('tokens that wait for each other are rejected, each for its reason', async () => {
    const { context } = await makeAuthority();
    const one = await issueFor(context, { jti: JTI, pred: [OTHER_JTI] });
    const two = await issueFor(context, { jti: OTHER_JTI, pred: [JTI] });
    const results = await appendBatch(context, anonymous, [one.token, two.token], endless.signal);
    expect(results.map((result) => (result instanceof EctError ? result.reason : 'OK'))).toEqual([
      'DAG_PREDECESSOR_MISSING',
      'DAG_PREDECESSOR_MISSING',
    ]);
  });
});

describe('the order of a batch', () => {
  const item = (jti: string, ...pred: string[]) => ({ token: { claims: { jti: jti as Jti, pred: pred as Jti[] } } });
  const unreadable = { token: undefined };

  test('has predecessors first, however the items stand', async () => {
    const chain = [item('c', 'b'), item('b', 'a'), item('a'), item('z')];
    expect(await planOrder(chain, createYielder())).toEqual([2, 1, 0, 3]);
  });

  test('is that of the items wherever no predecessor comes later', async () => {
    const inOrder = [item('r'), item('c', 'r'), item('s'), item('d', 'c', 's')];
    expect(await planOrder(inOrder, createYielder())).toEqual([0, 1, 2, 3]);
    const late = [item('f', 'a'), item('g', 'a', 'b'), item('x'), item('a'), item('h', 'f'), item('b')];
    expect(await planOrder(late, createYielder())).toEqual([2, 3, 0, 4, 5, 1]);
  });

  test('has tokens that wait for each other, and what follows them, at its end', async () => {
    const ring = [item('a', 'b'), item('b', 'a'), item('c', 'b'), item('d')];
    expect(await planOrder(ring, createYielder())).toEqual([3, 0, 1, 2]);
  });

  test('waits for nothing that is not in the batch or does not hold', async () => {
    expect(await planOrder([item('a', 'x'), unreadable, item('b')], createYielder())).toEqual([0, 1, 2]);
  });
});

/** Does something just before the next commit, when all that a commit rests on was looked at. */
class Beforehand extends FaultyStore {
  run: (() => Promise<unknown>) | undefined;

  override async commit(candidates: readonly Candidate[], seal: Seal) {
    const { run } = this;
    this.run = undefined;
    await run?.();
    return super.commit(candidates, seal);
  }
}

describe('one commit for tasks that follow each other', () => {
  async function chainOf(context: AuthorityContext, length: number) {
    const tokens: string[] = [];
    let pred: readonly string[] = [];
    for (let at = 0; at < length; at++) {
      const { token, claims } = await issueFor(context, { wid: WID, pred, ...(at === 2 ? { jti: JTI } : {}) });
      tokens.push(token);
      pred = [claims.jti];
    }
    return tokens;
  }
  const reasonsOf = (results: readonly (Appended | EctError)[]) =>
    results.map((result) => (result instanceof EctError ? result.reason : result.duplicate ? 'duplicate' : 'OK'));
  const signal = endless.signal;

  test('a chain of 100 in any order shares one, and each entry is as if it had been appended by itself', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const tokens = await chainOf(context, 100);
    const results = await appendBatch(context, anonymous, tokens.toReversed(), signal);
    expect(new Set(reasonsOf(results))).toEqual(new Set(['OK']));
    expect(store.calls.get('commit')).toBe(1);
    const report = await examineRecorded(context, WID, endless);
    expect(report).toMatchObject({ status: 'complete', size: 100, depth: 100 });
    const leaves = await context.ledger.list({ scope: WID, startIndex: 0, limit: 100, withContent: false });
    expect(leaves.map((record) => (readLeaf(record) as Leaf).depth)).toEqual(
      [...Array(100).keys()].map((at) => at + 1),
    );
    const again = await appendBatch(context, anonymous, tokens, signal);
    expect(new Set(reasonsOf(again))).toEqual(new Set(['duplicate']));
  });

  test('R9: what follows a task whose name somebody took in between is not recorded with it', async () => {
    const [store, key] = [new MemoryLedgerStore(), openLedgerKey(generateLedgerKey('test.example/ledger'))];
    const rivals = await Ledger.open({ store, key, nowMs: Date.now });
    const beforehand = new Beforehand(store);
    const ledger = await Ledger.open({ store: beforehand, key, nowMs: Date.now });
    const parts = { ...(await makeAuthority()).context, ledger };
    const tokens = await chainOf(parts, 5);
    // Another token for the task in the middle, which rests on nothing.
    const rival = await issueFor(parts, { wid: WID, jti: JTI });
    beforehand.run = () => appendTo({ ...parts, ledger: rivals }, rival.token);
    const results = await appendBatch(parts, anonymous, tokens, signal);
    expect(reasonsOf(results)).toEqual(['OK', 'OK', 'DAG_DUPLICATE_TASK', 'OK', 'OK']);
    const records = await parts.ledger.list({ scope: WID, startIndex: 0, limit: 9, withContent: false });
    // What follows was examined once more, after the task that is there.
    expect(records.map((record) => (readLeaf(record) as Leaf).depth)).toEqual([1, 1, 2, 2, 3]);
    expect(await examineRecorded(parts, WID, endless)).toMatchObject({ status: 'complete', size: 5 });
  });

  test('a storage that fails and did keep the entries is asked again, and finds them', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const tokens = await chainOf(context, 5);
    store.plan('landed');
    const results = await appendBatch(context, anonymous, tokens, signal);
    expect(results.every((result) => !(result instanceof EctError))).toBe(true);
    store.plan('lost', 'lost', 'lost');
    const more = await chainOf(context, 2);
    expect(reasonsOf(await appendBatch(context, anonymous, more, signal))).toEqual([
      'LEDGER_UNAVAILABLE',
      'LEDGER_UNAVAILABLE',
    ]);
    expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 5 });
  });
});
