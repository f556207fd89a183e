import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import { planOrder } from '../../src/authority/append-order.ts';
import {
  type Appended,
  type AuthorityParts,
  appendBatch,
  examineRecorded,
  type Leaf,
  readLeaf,
  validateDag,
} from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import {
  type Candidate,
  generateLedgerKey,
  Ledger,
  openLedgerKey,
  opensCommitment,
  type Seal,
  verifyReceipt,
} from '../../src/ledger/index.ts';
import { createPace } from '../../src/pace.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import type { Jti } from '../../src/token/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { anonymous, appendTo, endless, highTwin, issueFor, PARTY, reasonOf, recordTask } from './support.ts';

describe('append', () => {
  test('records the task in a canonical leaf that commits to the token', async () => {
    const { parts, clock } = await makeAuthority();
    const { token, claims, kid } = await issueFor(parts, { wid: WID });
    const { record, receipt, duplicate } = await appendTo(parts, token);
    expect(duplicate).toBe(false);
    const leaf = readLeaf(record);
    const { jti, wid, iss, iat } = claims;
    expect(leaf).toMatchObject({ v: 1, jti, wid, iss, iat, pred: [], kid, level: 'L3', recorded_at: clock.nowMs() });
    const text = Buffer.from(record.leaf).toString();
    expect(text).toBe(canonicalize(leaf));
    const { record: alone } = await appendTo(parts, (await issueFor(parts)).token);
    expect(Buffer.from(alone.leaf).toString()).toBe(canonicalize(readLeaf(alone)));
    expect(text).not.toContain('review_spec');
    expect(opensCommitment(leaf.commitment, record.salt!, Buffer.from(token))).toBe(true);
    const { tlogProof } = receipt;
    const { verifierKey } = parts.ledger;
    expect(verifyReceipt({ leaf: record.leaf, tlogProof, verifierKey, content: Buffer.from(token) }).ok).toBe(true);
  });

  test('R6: the same token again answers the same entry', async () => {
    const { parts } = await makeAuthority();
    const { token } = await issueFor(parts);
    const first = await appendTo(parts, token);
    await recordTask(parts);
    const again = await Promise.all(Array.from({ length: 10 }, () => appendTo(parts, token)));
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
    const { parts, clock } = await makeAuthority();
    const { token } = await issueFor(parts);
    const stranger = await issueFor(parts);
    await appendTo(parts, token);
    clock.advance(5000);
    expect((await appendTo(parts, token)).duplicate).toBe(true);
    expect(await reasonOf(appendTo(parts, stranger.token))).toBe('TOKEN_EXPIRED');
  });

  test('R5: another token under the same wid and jti is refused and alarmed, and the first stays', async () => {
    const { parts, noticed } = await makeAuthority();
    const [one, two] = [await issueFor(parts, { jti: JTI }), await issueFor(parts, { jti: JTI, execAct: 'other' })];
    await appendTo(parts, one.token);
    await appendTo(parts, one.token);
    expect(noticed).toEqual([]);
    expect(await reasonOf(appendTo(parts, two.token))).toBe('DAG_DUPLICATE_TASK');
    expect(noticed).toEqual([{ event: 'equivocated', iss: ISSUER, wid: '', jti: JTI, seenBy: 'ledger' }]);
    const kept = await parts.ledger.find('', JTI);
    expect(Buffer.from(kept!.content!).toString()).toBe(one.token);
  });

  test('R5: of two tokens for one task at once exactly one is recorded', async () => {
    const { parts, noticed } = await makeAuthority();
    const rivals = await Promise.all(['a', 'b', 'c'].map((execAct) => issueFor(parts, { jti: JTI, execAct })));
    const reasons = await Promise.all(rivals.map(({ token }) => reasonOf(appendTo(parts, token))));
    expect(reasons.sort()).toEqual(['DAG_DUPLICATE_TASK', 'DAG_DUPLICATE_TASK', 'OK']);
    expect(noticed.map(({ event, seenBy }) => [event, seenBy])).toEqual([
      ['equivocated', 'ledger'],
      ['equivocated', 'ledger'],
    ]);
  });

  test('T9: the high-s twin of a recorded token is the same entry, for 100 tokens', async () => {
    const { parts } = await makeAuthority();
    for (let index = 0; index < 100; index++) {
      const { token } = await issueFor(parts);
      const twin = highTwin(token);
      expect(twin).not.toBe(token);
      const first = await appendTo(parts, token);
      const again = await appendTo(parts, twin);
      expect([first.duplicate, again.duplicate, again.record.index]).toEqual([false, true, index]);
      expect(Buffer.from(again.record.content!).toString()).toBe(token);
      expect(Buffer.compare(again.receipt.leaf, first.receipt.leaf)).toBe(0);
    }
    expect((await parts.ledger.checkpoint()).size).toBe(100);
  });

  test('T9: of a token and its twin at once one entry is made', async () => {
    const { parts } = await makeAuthority();
    const { token } = await issueFor(parts);
    const both = await Promise.all([token, highTwin(token), token].map((text) => appendTo(parts, text)));
    expect(both.map(({ record }) => record.index)).toEqual([0, 0, 0]);
    expect(both.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
  });

  test('R11: of 500 pairs at once each child goes in after its parent or is refused, and then the retry works', async () => {
    const { parts } = await makeAuthority();
    const pairs = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const parent = await issueFor(parts);
        return { parent, child: await issueFor(parts, { pred: [parent.claims.jti] }) };
      }),
    );
    // In every order of arrival: the child first, the parent first, and the parent an event loop turn later.
    const appending = pairs.map(async ({ parent, child }, at) => {
      if (at % 3 === 0) return Promise.all([reasonOf(appendTo(parts, child.token)), appendTo(parts, parent.token)]);
      const first = appendTo(parts, parent.token);
      if (at % 3 === 1) return Promise.all([reasonOf(appendTo(parts, child.token)), first]);
      await first;
      return [await reasonOf(appendTo(parts, child.token))] as const;
    });
    const reasons = (await Promise.all(appending)).map(([reason]) => reason);
    for (const [at, reason] of reasons.entries()) {
      expect(at % 3 === 2 ? ['OK'] : ['OK', 'DAG_PREDECESSOR_MISSING']).toContain(reason);
    }
    expect(new Set(reasons)).toEqual(new Set(['OK', 'DAG_PREDECESSOR_MISSING']));
    await Promise.all(pairs.map(({ child }) => appendTo(parts, child.token)));
    expect((await parts.ledger.checkpoint()).size).toBe(1000);
    for (const { parent, child } of pairs) {
      const [before, after] = await Promise.all([parent, child].map(({ claims }) => parts.ledger.find('', claims.jti)));
      expect(before!.index).toBeLessThan(after!.index);
    }
  });

  test('R11: a task is recorded only after its predecessors; then the retry works', async () => {
    const { parts } = await makeAuthority();
    const parent = await issueFor(parts, { jti: OTHER_JTI });
    const child = await issueFor(parts, { pred: [OTHER_JTI] });
    expect(await reasonOf(appendTo(parts, child.token))).toBe('DAG_PREDECESSOR_MISSING');
    await appendTo(parts, parent.token);
    expect(await reasonOf(appendTo(parts, child.token))).toBe('OK');
  });

  test('R9: a predecessor of another workflow is refused', async () => {
    const { parts } = await makeAuthority();
    const child = await issueFor(parts, { wid: WID, pred: [JTI] });
    await recordTask(parts, { wid: OTHER_JTI, jti: JTI });
    expect(await reasonOf(appendTo(parts, child.token))).toBe('DAG_WORKFLOW_MISMATCH');
  });

  test('R9: a predecessor may be issued up to 30 s later', async () => {
    for (const [later, reason] of [
      [30, 'OK'],
      [31, 'DAG_TIME_ORDER'],
    ] as const) {
      const { parts, clock } = await makeAuthority();
      const child = await issueFor(parts, { pred: [JTI] });
      clock.advance(later);
      await recordTask(parts, { jti: JTI });
      expect(await reasonOf(appendTo(parts, child.token)), `${later} s`).toBe(reason);
    }
  });

  test('a bad token is refused for its own reason, and nothing is recorded', async () => {
    const { parts } = await makeAuthority();
    const { token } = await issueFor(parts);
    expect(await reasonOf(appendTo(parts, makeToken()))).toBe('KEY_UNKNOWN');
    expect(await reasonOf(appendTo(parts, `${token.slice(0, -4)}AAAA`))).toBe('SIGNATURE_INVALID');
    expect(await reasonOf(appendTo(parts, 'x'))).toBe('TOKEN_MALFORMED');
    expect((await parts.ledger.checkpoint()).size).toBe(0);
  });

  test('a ledger with an audience records only what names it', async () => {
    const { parts } = await makeAuthority(undefined, { ledgerAudience: 'urn:ect:ledger' });
    const [without, named] = [await issueFor(parts), await issueFor(parts, { aud: [PARTY, 'urn:ect:ledger'] })];
    expect(await reasonOf(appendTo(parts, without.token))).toBe('AUDIENCE_MISMATCH');
    expect(await reasonOf(appendTo(parts, named.token))).toBe('OK');
  });
});

describe('a batch', () => {
  test('records a later item that follows an earlier one, in whatever order they stand', async () => {
    const { parts } = await makeAuthority();
    const root = await issueFor(parts, { wid: WID });
    const [left, right] = await Promise.all([1, 2].map(() => issueFor(parts, { wid: WID, pred: [root.claims.jti] })));
    const pred = [left!.claims.jti, right!.claims.jti];
    const join = await issueFor(parts, { wid: WID, pred });
    const orphan = await issueFor(parts, { wid: WID, pred: [OTHER_JTI] });
    const tokens = [join, left!, orphan, right!, root].map(({ token }) => token);
    const results = await appendBatch(parts, anonymous, [...tokens, 'x'], AbortSignal.timeout(5000));
    const reasons = results.map((result) => (result instanceof EctError ? result.reason : 'OK'));
    expect(reasons).toEqual(['OK', 'OK', 'DAG_PREDECESSOR_MISSING', 'OK', 'OK', 'TOKEN_MALFORMED']);
    expect(await examineRecorded(parts, WID, endless)).toMatchObject({ status: 'complete', size: 4, depth: 3 });
  });

  test('tokens that wait for each other are refused, each for its reason', async () => {
    const { parts } = await makeAuthority();
    const one = await issueFor(parts, { jti: JTI, pred: [OTHER_JTI] });
    const two = await issueFor(parts, { jti: OTHER_JTI, pred: [JTI] });
    const results = await appendBatch(parts, anonymous, [one.token, two.token], AbortSignal.timeout(5000));
    expect(results.map((result) => (result instanceof EctError ? result.reason : 'OK'))).toEqual([
      'DAG_PREDECESSOR_MISSING',
      'DAG_PREDECESSOR_MISSING',
    ]);
  });
});

describe('ValidateDAG', () => {
  test('a recorded workflow is complete, with its roots and leaves', async () => {
    const { parts } = await makeAuthority();
    const root = await recordTask(parts, { wid: WID });
    const leaf = await recordTask(parts, { wid: WID, pred: [root] });
    const answer = await validateDag(parts, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({
      report: { status: 'complete', size: 2, depth: 2, roots: [{ jti: root }], leaves: [{ jti: leaf }] },
    });
  });

  test('an unknown workflow is not found', async () => {
    const { parts } = await makeAuthority();
    expect(await reasonOf(validateDag(parts, { kind: 'workflow', wid: WID }, endless))).toBe('WORKFLOW_NOT_FOUND');
  });

  test('a token is judged with its ancestors; it need not be recorded', async () => {
    const { parts } = await makeAuthority();
    const root = await recordTask(parts);
    const { token } = await issueFor(parts, { pred: [root] });
    const answer = await validateDag(parts, { kind: 'token', token, predecessors: [] }, endless);
    expect(answer).toMatchObject({ report: { status: 'complete', size: 2, roots: [{ jti: root }] } });
  });

  test('R9: a bundle whose tasks follow each other in a circle is invalid', async () => {
    const { parts } = await makeAuthority();
    const one = await issueFor(parts, { jti: JTI, pred: [OTHER_JTI] });
    const two = await issueFor(parts, { jti: OTHER_JTI, pred: [JTI] });
    const answer = await validateDag(parts, { kind: 'bundle', tokens: [one.token, two.token] }, endless);
    expect(answer).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_CYCLE' }] } });
  });

  test('R9: a bundle with two tokens for one task is invalid, and one with a copy is not', async () => {
    const { parts } = await makeAuthority();
    const [one, two] = [await issueFor(parts, { jti: JTI }), await issueFor(parts, { jti: JTI, ttlSeconds: 60 })];
    const clash = await validateDag(parts, { kind: 'bundle', tokens: [one.token, two.token] }, endless);
    expect(clash).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_DUPLICATE_TASK' }] } });
    const copies = await validateDag(parts, { kind: 'bundle', tokens: [one.token, one.token] }, endless);
    expect(copies).toMatchObject({ report: { status: 'complete', size: 1 } });
  });

  test('a bundle looks nowhere else', async () => {
    const { parts } = await makeAuthority();
    const root = await recordTask(parts);
    const { token } = await issueFor(parts, { pred: [root] });
    const answer = await validateDag(parts, { kind: 'bundle', tokens: [token] }, endless);
    expect(answer).toMatchObject({ report: { status: 'partial', unresolved: [{ jti: root }] } });
  });

  test('a token that does not hold makes the graph invalid for its own reason', async () => {
    const { parts } = await makeAuthority();
    const answers = await Promise.all([
      validateDag(parts, { kind: 'token', token: makeToken(), predecessors: [] }, endless),
      validateDag(parts, { kind: 'bundle', tokens: [makeToken()] }, endless),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ refusal: { reason: 'KEY_UNKNOWN' } });
  });
});

describe('the order of a batch', () => {
  const item = (jti: string, ...pred: string[]) => ({ token: { claims: { jti: jti as Jti, pred: pred as Jti[] } } });
  const unreadable = { token: undefined };

  test('has predecessors first, however the items stand', async () => {
    const chain = [item('c', 'b'), item('b', 'a'), item('a'), item('z')];
    expect(await planOrder(chain, createPace())).toEqual([2, 3, 1, 0]);
  });

  test('has tokens that wait for each other, and what follows them, at its end', async () => {
    const ring = [item('a', 'b'), item('b', 'a'), item('c', 'b'), item('d')];
    expect(await planOrder(ring, createPace())).toEqual([3, 0, 1, 2]);
  });

  test('waits for nothing that is not in the batch or does not hold', async () => {
    expect(await planOrder([item('a', 'x'), unreadable, item('b')], createPace())).toEqual([0, 1, 2]);
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
  async function chainOf(parts: AuthorityParts, length: number) {
    const tokens: string[] = [];
    let pred: readonly string[] = [];
    for (let at = 0; at < length; at++) {
      const { token, claims } = await issueFor(parts, { wid: WID, pred, ...(at === 2 ? { jti: JTI } : {}) });
      tokens.push(token);
      pred = [claims.jti];
    }
    return tokens;
  }
  const reasonsOf = (results: readonly (Appended | EctError)[]) =>
    results.map((result) => (result instanceof EctError ? result.reason : result.duplicate ? 'duplicate' : 'OK'));
  const signal = AbortSignal.timeout(10_000);

  test('a chain of 100 in any order shares one, and each entry is as if it had been appended by itself', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts } = await makeAuthority(store);
    const tokens = await chainOf(parts, 100);
    const results = await appendBatch(parts, anonymous, tokens.toReversed(), signal);
    expect(new Set(reasonsOf(results))).toEqual(new Set(['OK']));
    expect(store.calls.get('commit')).toBe(1);
    const report = await examineRecorded(parts, WID, endless);
    expect(report).toMatchObject({ status: 'complete', size: 100, depth: 100 });
    const leaves = await parts.ledger.list({ scope: WID, startIndex: 0, limit: 100, withContent: false });
    expect(leaves.map((record) => (readLeaf(record) as Leaf).depth)).toEqual(
      [...Array(100).keys()].map((at) => at + 1),
    );
    const again = await appendBatch(parts, anonymous, tokens, signal);
    expect(new Set(reasonsOf(again))).toEqual(new Set(['duplicate']));
  });

  test('R9: what follows a task whose name somebody took in between is not recorded with it', async () => {
    const [store, key] = [new MemoryLedgerStore(), openLedgerKey(generateLedgerKey('test.example/ledger'))];
    const rivals = await Ledger.open({ store, key, nowMs: Date.now });
    const beforehand = new Beforehand(store);
    const ledger = await Ledger.open({ store: beforehand, key, nowMs: Date.now });
    const parts = { ...(await makeAuthority()).parts, ledger };
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
    const { parts } = await makeAuthority(store);
    const tokens = await chainOf(parts, 5);
    store.plan('landed');
    const results = await appendBatch(parts, anonymous, tokens, signal);
    expect(results.every((result) => !(result instanceof EctError))).toBe(true);
    store.plan('lost', 'lost', 'lost');
    const more = await chainOf(parts, 2);
    expect(reasonsOf(await appendBatch(parts, anonymous, more, signal))).toEqual([
      'LEDGER_UNAVAILABLE',
      'LEDGER_UNAVAILABLE',
    ]);
    expect(await examineRecorded(parts, WID, endless)).toMatchObject({ status: 'complete', size: 5 });
  });
});
