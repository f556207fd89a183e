import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import { readLeaf } from '../../src/authority/index.ts';
import { opensCommitment } from '../../src/ledger/entry.ts';
import { verifyReceipt } from '../../src/ledger/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { appendTo, highTwin, issueFor, PARTY, reasonOf, recordTask } from './support.ts';

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
