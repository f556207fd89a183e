import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import { planOrder } from '../../src/authority/batch-order.ts';
import {
  type Appended,
  type AuthorityContext,
  appendBatch,
  type Leaf,
  readLeaf,
  validateDag,
} from '../../src/authority/index.ts';
import { createYielder } from '../../src/concurrency/yielder.ts';
import { EctError } from '../../src/errors.ts';
import { opensCommitment } from '../../src/ledger/entry.ts';
import {
  type Candidate,
  generateLedgerKey,
  Ledger,
  openLedgerKey,
  type Seal,
  verifyReceipt,
} from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import type { Jti } from '../../src/token/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { examineRecorded } from './examine-recorded.ts';
import { anonymous, appendTo, endless, highTwin, issueFor, PARTY, reasonOf, recordTask } from './support.ts';

describe('append', () => {
  test('records the task in a canonical leaf that commits to the token', async () => {
    const { context, clock } = await makeAuthority();
    const { token, claims, kid } = await issueFor(context, { wid: WID });
    const { record, receipt, duplicate } = await appendTo(context, token);
    expect(duplicate).toBe(false);
    const leaf = readLeaf(record);
    const { jti, wid, iss, iat } = claims;
    expect(leaf).toMatchObject({ v: 1, jti, wid, iss, iat, pred: [], kid, level: 'L3', recorded_at: clock.nowMs() });
    const text = Buffer.from(record.leaf).toString();
    expect(text).toBe(canonicalize(leaf));
    const { record: alone } = await appendTo(context, (await issueFor(context)).token);
    expect(Buffer.from(alone.leaf).toString()).toBe(canonicalize(readLeaf(alone)));
    expect(text).not.toContain('review_spec');
    expect(opensCommitment(leaf.commitment, record.salt!, Buffer.from(token))).toBe(true);
    const { tlogProof } = receipt;
    const { verifierKey } = context.ledger;
    expect(verifyReceipt({ leaf: record.leaf, tlogProof, verifierKey, content: Buffer.from(token) }).ok).toBe(true);
  });

  test('R6: the same token again answers the same entry', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const first = await appendTo(context, token);
    await recordTask(context);
    const again = await Promise.all(Array.from({ length: 10 }, () => appendTo(context, token)));
    for (const { duplicate, record, receipt } of again) {
      expect({ duplicate, index: record.index, size: receipt.treeSize }).toEqual({
        duplicate: true,
        index: 0,
        size: 2,
      });
    }
    expect(first.receipt.treeSize).toBe(1);
  });

  test('R6: a retry is answered even when the token has expired in the meantime', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context);
    const stranger = await issueFor(context);
    await appendTo(context, token);
    clock.advance(5000);
    expect((await appendTo(context, token)).duplicate).toBe(true);
    expect(await reasonOf(appendTo(context, stranger.token))).toBe('TOKEN_EXPIRED');
  });

  test('R5: another token under the same wid and jti is rejected and alarmed, and the first stays', async () => {
    const { context, noticed } = await makeAuthority();
    const [one, two] = [await issueFor(context, { jti: JTI }), await issueFor(context, { jti: JTI, execAct: 'other' })];
    await appendTo(context, one.token);
    await appendTo(context, one.token);
    expect(noticed).toEqual([]);
    expect(await reasonOf(appendTo(context, two.token))).toBe('DAG_DUPLICATE_TASK');
    expect(noticed).toEqual([{ event: 'equivocated', iss: ISSUER, wid: '', jti: JTI, seenBy: 'ledger' }]);
    const kept = await context.ledger.find('', JTI);
    expect(Buffer.from(kept!.content!).toString()).toBe(one.token);
  });

  test('R5: of two tokens for one task at once exactly one is recorded', async () => {
    const { context, noticed } = await makeAuthority();
    const rivals = await Promise.all(['a', 'b', 'c'].map((execAct) => issueFor(context, { jti: JTI, execAct })));
    const reasons = await Promise.all(rivals.map(({ token }) => reasonOf(appendTo(context, token))));
    expect(reasons.sort()).toEqual(['DAG_DUPLICATE_TASK', 'DAG_DUPLICATE_TASK', 'OK']);
    expect(noticed.map(({ event, seenBy }) => [event, seenBy])).toEqual([
      ['equivocated', 'ledger'],
      ['equivocated', 'ledger'],
    ]);
  });

  test('T9: the high-s twin of a recorded token is the same entry, for 100 tokens', async () => {
    const { context } = await makeAuthority();
    for (let index = 0; index < 100; index++) {
      const { token } = await issueFor(context);
      const twin = highTwin(token);
      expect(twin).not.toBe(token);
      const first = await appendTo(context, token);
      const again = await appendTo(context, twin);
      expect([first.duplicate, again.duplicate, again.record.index]).toEqual([false, true, index]);
      expect(Buffer.from(again.record.content!).toString()).toBe(token);
      expect(Buffer.compare(again.receipt.leaf, first.receipt.leaf)).toBe(0);
    }
    expect((await context.ledger.checkpoint()).size).toBe(100);
  });

  test('T9: of a token and its twin at once one entry is made', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const both = await Promise.all([token, highTwin(token), token].map((text) => appendTo(context, text)));
    expect(both.map(({ record }) => record.index)).toEqual([0, 0, 0]);
    expect(both.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
  });

  test('R11: of 500 pairs at once each child goes in after its parent or is rejected, and then the retry works', async () => {
    const { context } = await makeAuthority();
    const pairs = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const parent = await issueFor(context);
        return { parent, child: await issueFor(context, { pred: [parent.claims.jti] }) };
      }),
    );
    // In every order of arrival: the child first, the parent first, and the parent an event loop turn later.
    const appending = pairs.map(async ({ parent, child }, at) => {
      if (at % 3 === 0) return Promise.all([reasonOf(appendTo(context, child.token)), appendTo(context, parent.token)]);
      const first = appendTo(context, parent.token);
      if (at % 3 === 1) return Promise.all([reasonOf(appendTo(context, child.token)), first]);
      await first;
      return [await reasonOf(appendTo(context, child.token))] as const;
    });
    const reasons = (await Promise.all(appending)).map(([reason]) => reason);
    for (const [at, reason] of reasons.entries()) {
      expect(at % 3 === 2 ? ['OK'] : ['OK', 'DAG_PREDECESSOR_MISSING']).toContain(reason);
    }
    expect(new Set(reasons)).toEqual(new Set(['OK', 'DAG_PREDECESSOR_MISSING']));
    await Promise.all(pairs.map(({ child }) => appendTo(context, child.token)));
    expect((await context.ledger.checkpoint()).size).toBe(1000);
    for (const { parent, child } of pairs) {
      const [before, after] = await Promise.all(
        [parent, child].map(({ claims }) => context.ledger.find('', claims.jti)),
      );
      expect(before!.index).toBeLessThan(after!.index);
    }
  });

  test('R11: a task is recorded only after its predecessors; then the retry works', async () => {
    const { context } = await makeAuthority();
    const parent = await issueFor(context, { jti: OTHER_JTI });
    const child = await issueFor(context, { pred: [OTHER_JTI] });
    expect(await reasonOf(appendTo(context, child.token))).toBe('DAG_PREDECESSOR_MISSING');
    await appendTo(context, parent.token);
    expect(await reasonOf(appendTo(context, child.token))).toBe('OK');
  });

  test('R9: a predecessor of another workflow is rejected', async () => {
    const { context } = await makeAuthority();
    const child = await issueFor(context, { wid: WID, pred: [JTI] });
    await recordTask(context, { wid: OTHER_JTI, jti: JTI });
    expect(await reasonOf(appendTo(context, child.token))).toBe('DAG_WORKFLOW_MISMATCH');
  });

  test('R9: a predecessor may be issued up to 30 s later', async () => {
    for (const [later, reason] of [
      [30, 'OK'],
      [31, 'DAG_TIME_ORDER'],
    ] as const) {
      const { context, clock } = await makeAuthority();
      const child = await issueFor(context, { pred: [JTI] });
      clock.advance(later);
      await recordTask(context, { jti: JTI });
      expect(await reasonOf(appendTo(context, child.token)), `${later} s`).toBe(reason);
    }
  });

  test('a bad token is rejected for its own reason, and nothing is recorded', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    expect(await reasonOf(appendTo(context, makeToken()))).toBe('KEY_UNKNOWN');
    expect(await reasonOf(appendTo(context, `${token.slice(0, -4)}AAAA`))).toBe('SIGNATURE_INVALID');
    expect(await reasonOf(appendTo(context, 'x'))).toBe('TOKEN_MALFORMED');
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('a ledger with an audience records only what names it', async () => {
    const { context } = await makeAuthority(undefined, { ledgerAudience: 'urn:ect:ledger' });
    const [without, named] = [await issueFor(context), await issueFor(context, { aud: [PARTY, 'urn:ect:ledger'] })];
    expect(await reasonOf(appendTo(context, without.token))).toBe('AUDIENCE_MISMATCH');
    expect(await reasonOf(appendTo(context, named.token))).toBe('OK');
  });
});

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

describe('ValidateDAG', () => {
  test('a recorded workflow is complete, with its roots and leaves', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context, { wid: WID });
    const leaf = await recordTask(context, { wid: WID, pred: [root] });
    const answer = await validateDag(context, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({
      report: { status: 'complete', size: 2, depth: 2, roots: [{ jti: root }], leaves: [{ jti: leaf }] },
    });
  });

  test('an unknown workflow is not found', async () => {
    const { context } = await makeAuthority();
    expect(await reasonOf(validateDag(context, { kind: 'workflow', wid: WID }, endless))).toBe('WORKFLOW_NOT_FOUND');
  });

  test('a token is judged with its ancestors; it need not be recorded', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context);
    const { token } = await issueFor(context, { pred: [root] });
    const answer = await validateDag(context, { kind: 'token', token, predecessors: [] }, endless);
    expect(answer).toMatchObject({ report: { status: 'complete', size: 2, roots: [{ jti: root }] } });
  });

  test('R9: a bundle whose tasks follow each other in a circle is invalid', async () => {
    const { context } = await makeAuthority();
    const one = await issueFor(context, { jti: JTI, pred: [OTHER_JTI] });
    const two = await issueFor(context, { jti: OTHER_JTI, pred: [JTI] });
    const answer = await validateDag(context, { kind: 'bundle', tokens: [one.token, two.token] }, endless);
    expect(answer).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_CYCLE' }] } });
  });

  test('R9: a bundle with two tokens for one task is invalid, and one with a copy is not', async () => {
    const { context } = await makeAuthority();
    const [one, two] = [await issueFor(context, { jti: JTI }), await issueFor(context, { jti: JTI, ttlSeconds: 60 })];
    const clash = await validateDag(context, { kind: 'bundle', tokens: [one.token, two.token] }, endless);
    expect(clash).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_DUPLICATE_TASK' }] } });
    const copies = await validateDag(context, { kind: 'bundle', tokens: [one.token, one.token] }, endless);
    expect(copies).toMatchObject({ report: { status: 'complete', size: 1 } });
  });

  test('a bundle looks nowhere else', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context);
    const { token } = await issueFor(context, { pred: [root] });
    const answer = await validateDag(context, { kind: 'bundle', tokens: [token] }, endless);
    expect(answer).toMatchObject({ report: { status: 'partial', unresolved: [{ jti: root }] } });
  });

  test('a token that does not hold makes the graph invalid for its own reason', async () => {
    const { context } = await makeAuthority();
    const answers = await Promise.all([
      validateDag(context, { kind: 'token', token: makeToken(), predecessors: [] }, endless),
      validateDag(context, { kind: 'bundle', tokens: [makeToken()] }, endless),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ rejection: { reason: 'KEY_UNKNOWN' } });
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
