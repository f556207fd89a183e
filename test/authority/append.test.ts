import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import { planWaves } from '../../src/authority/append-batch.ts';
import { appendBatch, examineRecorded, readLeaf, validateDag } from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import { opensCommitment, verifyReceipt } from '../../src/ledger/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { anonymous, appendTo, highTwin, issueFor, PARTY, reasonOf, recordTask } from './support.ts';

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
    expect(await examineRecorded(parts, WID)).toMatchObject({ status: 'complete', size: 4, depth: 3 });
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
    const answer = await validateDag(parts, { kind: 'workflow', wid: WID });
    expect(answer).toMatchObject({ report: { status: 'complete', size: 2, depth: 2, roots: [root], leaves: [leaf] } });
  });

  test('an unknown workflow is not found', async () => {
    const { parts } = await makeAuthority();
    expect(await reasonOf(validateDag(parts, { kind: 'workflow', wid: WID }))).toBe('WORKFLOW_NOT_FOUND');
  });

  test('a token is judged with its ancestors; it need not be recorded', async () => {
    const { parts } = await makeAuthority();
    const root = await recordTask(parts);
    const { token } = await issueFor(parts, { pred: [root] });
    const answer = await validateDag(parts, { kind: 'token', token, predecessors: [] });
    expect(answer).toMatchObject({ report: { status: 'complete', size: 2, roots: [root] } });
  });

  test('R9: a bundle whose tasks follow each other in a circle is invalid', async () => {
    const { parts } = await makeAuthority();
    const one = await issueFor(parts, { jti: JTI, pred: [OTHER_JTI] });
    const two = await issueFor(parts, { jti: OTHER_JTI, pred: [JTI] });
    const answer = await validateDag(parts, { kind: 'bundle', tokens: [one.token, two.token] });
    expect(answer).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_CYCLE' }] } });
  });

  test('R9: a bundle with two tokens for one task is invalid, and one with a copy is not', async () => {
    const { parts } = await makeAuthority();
    const [one, two] = [await issueFor(parts, { jti: JTI }), await issueFor(parts, { jti: JTI, ttlSeconds: 60 })];
    const clash = await validateDag(parts, { kind: 'bundle', tokens: [one.token, two.token] });
    expect(clash).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_DUPLICATE_TASK' }] } });
    const copies = await validateDag(parts, { kind: 'bundle', tokens: [one.token, one.token] });
    expect(copies).toMatchObject({ report: { status: 'complete', size: 1 } });
  });

  test('a bundle looks nowhere else', async () => {
    const { parts } = await makeAuthority();
    const root = await recordTask(parts);
    const { token } = await issueFor(parts, { pred: [root] });
    const answer = await validateDag(parts, { kind: 'bundle', tokens: [token] });
    expect(answer).toMatchObject({ report: { status: 'partial', unresolved: [root] } });
  });

  test('a token that does not hold makes the graph invalid for its own reason', async () => {
    const { parts } = await makeAuthority();
    const answers = await Promise.all([
      validateDag(parts, { kind: 'token', token: makeToken(), predecessors: [] }),
      validateDag(parts, { kind: 'bundle', tokens: [makeToken()] }),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ refusal: { reason: 'KEY_UNKNOWN' } });
  });
});

describe('the order of a batch', () => {
  const id = (number: number) => `${OTHER_JTI.slice(0, -4)}${String(number).padStart(4, '0')}`;
  const task = (number: number, ...pred: number[]) => makeToken({ jti: id(number), pred: pred.map(id) });

  test('is one wave for each level of links, however the items stand', () => {
    const chain = [task(3, 2), task(2, 1), task(1), task(9)];
    expect(planWaves(chain, 16_384)).toEqual([[2, 3], [1], [0]]);
  });

  test('puts tokens that wait for each other, and what follows them, into the last wave', () => {
    expect(planWaves([task(1, 2), task(2, 1), task(3, 2), task(4)], 16_384)).toEqual([[3], [0, 1, 2]]);
  });

  test('looks into nothing that will be refused: neither unreadable tokens nor too many links', () => {
    const crowded = makeToken({ jti: id(1), pred: Array.from({ length: 101 }, (_, at) => id(at + 2)) });
    expect(planWaves(['x', crowded, task(2)], 16_384)).toEqual([[0, 1, 2]]);
    expect(planWaves([task(1, 2), task(2)], 10)).toEqual([[0, 1]]);
  });
});
