// Marks of what is compromised, and the taints that follow from them.

import { describe, expect, test } from 'vitest';
import {
  type AuthorityContext,
  type CompromisedSubject,
  MARK_SCOPE,
  markCompromised,
  readLeaf,
  validateDag,
} from '../../src/authority/index.ts';
import { opensCommitment } from '../../src/ledger/entry.ts';
import { verifyReceipt } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, NOW, OTHER_JTI, WID } from '../support/tokens.ts';
import { examineRecorded } from './examine-recorded.ts';
import { appendTo, endless, issueFor, reasonIn, reasonOf, recordTask, verifyFor } from './support.ts';

const ADMIN = workload('spiffe://example.com/admin');

function mark(context: AuthorityContext, subject: CompromisedSubject, note = 'the agent was hijacked') {
  return markCompromised(context, ADMIN, { subject, note }, endless.signal);
}

const markTask = (context: AuthorityContext, jti: string, wid = '') => mark(context, { kind: 'task', jti, wid });

async function taintsOf(context: AuthorityContext, wid: string) {
  return (await examineRecorded(context, wid, endless)).tainted.map(({ task: { jti }, source, ancestor }) => [
    jti,
    source,
    ancestor?.jti ?? '',
  ]);
}

describe('a mark', () => {
  test('is an entry with a canonical leaf that names the subject and only commits to the note', async () => {
    const { context, clock } = await makeAuthority();
    const { record, receipt, duplicate } = await markTask(context, JTI, WID);
    expect({ duplicate, index: record.index, author: record.author }).toEqual({
      duplicate: false,
      index: 0,
      author: ADMIN.id,
    });
    const leaf = readLeaf(record);
    const known = { v: 1, type: 'taint', jti: JTI, wid: WID, iss: ADMIN.id, recorded_at: clock.nowMs() };
    expect(leaf).toEqual({ ...known, commitment: leaf.commitment });
    const text = Buffer.from(record.leaf).toString();
    expect(text).toBe(JSON.stringify(Object.fromEntries(Object.entries(leaf).sort(([a], [b]) => (a < b ? -1 : 1)))));
    const content = Buffer.from(record.content!);
    expect(JSON.parse(content.toString())).toEqual({
      subject: { kind: 'task', jti: JTI, wid: WID },
      note: 'the agent was hijacked',
      by: ADMIN.id,
    });
    expect(opensCommitment(leaf.commitment, record.salt!, content)).toBe(true);
    const { verifierKey } = context.ledger;
    expect(verifyReceipt({ leaf: record.leaf, tlogProof: receipt.tlogProof, verifierKey, content }).ok).toBe(true);
  });

  test('of a key, or of a task without workflow, names just that', async () => {
    const { context } = await makeAuthority();
    const { record } = await mark(context, { kind: 'key', kid: 'stolen' });
    expect(readLeaf(record)).toMatchObject({ type: 'taint', kid: 'stolen', compromised_since: NOW * 1000 });
    const content = { subject: { kind: 'key', kid: 'stolen', compromised_since: NOW * 1000 }, by: ADMIN.id };
    expect(JSON.parse(Buffer.from(record.content!).toString())).toMatchObject(content);
    expect(readLeaf(record)).not.toHaveProperty('jti');
    expect(readLeaf((await markTask(context, JTI)).record)).not.toHaveProperty('wid');
  });

  test('is made once: the second is a duplicate, and what was stated first stays', async () => {
    const { context } = await makeAuthority();
    await markTask(context, JTI);
    const again = await markTask(context, JTI);
    const other = await mark(context, { kind: 'task', jti: JTI, wid: '' }, 'another reason');
    for (const { duplicate, record, receipt } of [again, other]) {
      expect({ duplicate, index: record.index, size: receipt.treeSize }).toEqual({
        duplicate: true,
        index: 0,
        size: 1,
      });
      expect(Buffer.from(record.content!).toString()).toContain('hijacked');
    }
  });

  test('of many at once exactly one is recorded', async () => {
    const { context } = await makeAuthority();
    const notes = Array.from({ length: 10 }, (_, at) => `note ${at}`);
    const answers = await Promise.all(notes.map((note) => mark(context, { kind: 'key', kid: 'k' }, note)));
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect((await context.ledger.checkpoint()).size).toBe(1);
  });

  test('has no effect before it is recorded: what the ledger lost taints nothing', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const jti = await recordTask(context, { wid: WID });
    store.plan('lost', 'lost', 'lost');
    expect(await reasonOf(markTask(context, jti, WID))).toBe('LEDGER_UNAVAILABLE');
    expect(await taintsOf(context, WID)).toEqual([]);
    store.plan('landed');
    expect((await markTask(context, jti, WID)).duplicate).toBe(true);
    expect(await taintsOf(context, WID)).toEqual([[jti, 'task', '']]);
  });

  test('is no task: nothing can follow it, and it is in no workflow', async () => {
    const { context } = await makeAuthority();
    await markTask(context, JTI, WID);
    const child = await issueFor(context, { wid: WID, pred: [JTI] });
    expect(await reasonOf(appendTo(context, child.token))).toBe('DAG_PREDECESSOR_MISSING');
    expect(await reasonOf(examineRecorded(context, WID, endless))).toBe('WORKFLOW_NOT_FOUND');
    expect(await reasonOf(examineRecorded(context, MARK_SCOPE, endless))).toBe('WORKFLOW_NOT_FOUND');
  });
});

describe('taints', () => {
  test('are on what is marked and on all that came after, in a workflow and in a drawing', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context, { wid: WID });
    const bad = await recordTask(context, { wid: WID, pred: [root] });
    const after = await recordTask(context, { wid: WID, pred: [bad] });
    await recordTask(context, { wid: WID, pred: [root] });
    expect(await taintsOf(context, WID)).toEqual([]);
    const { record } = await markTask(context, bad, WID);
    expect(await taintsOf(context, WID)).toEqual([
      [bad, 'task', ''],
      [after, 'ancestor', bad],
    ]);
    const answer = await validateDag(context, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({ report: { status: 'complete', tainted: [{ entry: record.index }, {}] } });
  });

  test('of a key are on every task that it signed, whichever workflow it is of', async () => {
    const { context, signer } = await makeAuthority();
    const jti = await recordTask(context, { wid: WID });
    await recordTask(context, { wid: OTHER_JTI });
    const { kid } = signer.jwk;
    await mark(context, { kind: 'key', kid });
    for (const wid of [WID, OTHER_JTI]) {
      expect((await examineRecorded(context, wid, endless)).tainted).toMatchObject([{ source: 'key', kid }]);
    }
    const { token, dag } = await issueFor(context, { wid: WID, pred: [jti] });
    expect(dag?.tainted.map(({ source }) => source)).toEqual(['key', 'key']);
    // A verdict rests on the same mark.
    expect(reasonIn(await verifyFor(context, token, { dag: 'complete' }))).toBe('KEY_REVOKED');
  });

  test('make no token invalid and hold no task back: they are for review', async () => {
    const { context } = await makeAuthority();
    const bad = await recordTask(context, { wid: WID });
    await markTask(context, bad, WID);
    const { token, claims, dag } = await issueFor(context, { wid: WID, pred: [bad] });
    const tainted = [
      { task: { jti: claims.jti }, source: 'ancestor', ancestor: { jti: bad } },
      { task: { jti: bad }, source: 'task', ancestor: undefined },
    ];
    expect(dag).toMatchObject({ status: 'complete', tainted });
    const verdict = await verifyFor(context, token, { dag: 'complete' });
    expect(reasonIn(verdict)).toBe('VALID');
    expect(verdict.dag).toMatchObject({ status: 'complete', tainted });
    expect(await reasonOf(appendTo(context, token))).toBe('OK');
  });

  test('of tasks that are recorded nowhere count in bundles and among tokens that were handed along', async () => {
    const { context } = await makeAuthority();
    const first = await issueFor(context, { wid: WID });
    const { token, claims } = await issueFor(context, { wid: WID, pred: [first.claims.jti] });
    await markTask(context, first.claims.jti, WID);
    const question = { dag: 'complete', predecessors: [first.token], replay: 'skip' } as const;
    const verdict = await verifyFor(context, token, question);
    expect(verdict.dag?.tainted).toMatchObject([
      { task: { jti: claims.jti }, ancestor: { jti: first.claims.jti } },
      { source: 'task' },
    ]);
    const answer = await validateDag(context, { kind: 'bundle', tokens: [token, first.token] }, endless);
    expect(answer).toMatchObject({
      report: { tainted: [{ task: { jti: claims.jti } }, { task: { jti: first.claims.jti } }] },
    });
    // Even where the marked predecessor itself is not at hand.
    const alone = await verifyFor(context, token, { dag: 'partial', replay: 'skip' });
    expect(alone.dag).toMatchObject({
      status: 'partial',
      tainted: [{ task: { jti: claims.jti }, ancestor: { jti: first.claims.jti } }],
    });
  });
});

describe('what a look at the graph costs', () => {
  test('a call that does not look at the graph reads nothing; others read the predecessors, and new marks', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const a = await recordTask(context, { wid: WID });
    const b = await recordTask(context, { wid: WID, pred: [a] });
    const { token } = await issueFor(context, { wid: WID, pred: [b] });
    const during = async (work: () => Promise<unknown>) => {
      const before = new Map(store.calls);
      await work();
      return ['find', 'lookUp', 'list'].map((method) => (store.calls.get(method) ?? 0) - (before.get(method) ?? 0));
    };
    expect(await during(() => issueFor(context))).toEqual([0, 0, 0]);
    expect(await during(() => verifyFor(context, token, { replay: 'skip' }))).toEqual([0, 0, 0]);
    expect(await during(() => issueFor(context, { wid: WID, pred: [b] }))).toEqual([0, 1, 1]);
    expect(await during(() => verifyFor(context, token, { dag: 'complete', replay: 'skip' }))).toEqual([1, 1, 1]);
    expect(await during(() => examineRecorded(context, WID, endless))).toEqual([0, 0, 2]);
    expect(await during(() => appendTo(context, token))).toEqual([1, 1, 0]);
  });

  test('R10: what follows a long past costs the same once it was looked through, and a new mark is seen at once', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const names: string[] = [];
    for (let at = 0; at < 60; at++) names.push(await recordTask(context, { wid: WID, pred: names.slice(-1) }));
    const look = async () => {
      const before = store.calls.get('lookUp') ?? 0;
      const { claims, dag } = await issueFor(context, { wid: WID, pred: names.slice(-1) });
      const tainted = dag?.tainted.map(({ task: { jti }, ancestor }) => [
        jti === claims.jti ? 'own' : jti,
        ancestor?.jti ?? '',
      ]);
      return [tainted, (store.calls.get('lookUp') ?? 0) - before];
    };
    expect(await look()).toEqual([[], 1]);
    await markTask(context, OTHER_JTI, WID);
    expect(await look()).toEqual([[], 60]);
    expect(await look()).toEqual([[], 1]);
    await markTask(context, names[30]!, WID);
    const after = [
      ['own', names[30]],
      [names.at(-1), names[30]],
    ];
    expect(await look()).toEqual([after, 30]);
    expect(await look()).toEqual([after, 1]);
  });
});
