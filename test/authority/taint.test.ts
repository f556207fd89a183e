// Marks of what is compromised, and the taints that follow from them.

import { describe, expect, test } from 'vitest';
import {
  type AuthorityParts,
  type CompromisedSubject,
  examineRecorded,
  MARK_SCOPE,
  markCompromised,
  readLeaf,
  validateDag,
} from '../../src/authority/index.ts';
import { opensCommitment, verifyReceipt } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, NOW, OTHER_JTI, WID } from '../support/tokens.ts';
import { appendTo, endless, issueFor, reasonIn, reasonOf, recordTask, verifyFor } from './support.ts';

const ADMIN = workload('spiffe://example.com/admin');

function mark(parts: AuthorityParts, subject: CompromisedSubject, note = 'the agent was hijacked') {
  return markCompromised(parts, ADMIN, { subject, note }, AbortSignal.timeout(5000));
}

const markTask = (parts: AuthorityParts, jti: string, wid = '') => mark(parts, { kind: 'task', jti, wid });

async function taintsOf(parts: AuthorityParts, wid: string) {
  return (await examineRecorded(parts, wid, endless)).tainted.map(({ task: { jti }, source, ancestor }) => [
    jti,
    source,
    ancestor?.jti ?? '',
  ]);
}

describe('a mark', () => {
  test('is an entry with a canonical leaf that names the subject and only commits to the note', async () => {
    const { parts, clock } = await makeAuthority();
    const { record, receipt, duplicate } = await markTask(parts, JTI, WID);
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
    const { verifierKey } = parts.ledger;
    expect(verifyReceipt({ leaf: record.leaf, tlogProof: receipt.tlogProof, verifierKey, content }).ok).toBe(true);
  });

  test('of a key, or of a task without workflow, names just that', async () => {
    const { parts } = await makeAuthority();
    const { record } = await mark(parts, { kind: 'key', kid: 'stolen' });
    expect(readLeaf(record)).toMatchObject({ type: 'taint', kid: 'stolen', compromised_since: NOW * 1000 });
    const content = { subject: { kind: 'key', kid: 'stolen', compromised_since: NOW * 1000 }, by: ADMIN.id };
    expect(JSON.parse(Buffer.from(record.content!).toString())).toMatchObject(content);
    expect(readLeaf(record)).not.toHaveProperty('jti');
    expect(readLeaf((await markTask(parts, JTI)).record)).not.toHaveProperty('wid');
  });

  test('is made once: the second is a duplicate, and what was stated first stays', async () => {
    const { parts } = await makeAuthority();
    await markTask(parts, JTI);
    const again = await markTask(parts, JTI);
    const other = await mark(parts, { kind: 'task', jti: JTI, wid: '' }, 'another reason');
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
    const { parts } = await makeAuthority();
    const notes = Array.from({ length: 10 }, (_, at) => `note ${at}`);
    const answers = await Promise.all(notes.map((note) => mark(parts, { kind: 'key', kid: 'k' }, note)));
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect((await parts.ledger.checkpoint()).size).toBe(1);
  });

  test('has no effect before it is recorded: what the ledger lost taints nothing', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts } = await makeAuthority(store);
    const jti = await recordTask(parts, { wid: WID });
    store.plan('lost', 'lost', 'lost');
    expect(await reasonOf(markTask(parts, jti, WID))).toBe('LEDGER_UNAVAILABLE');
    expect(await taintsOf(parts, WID)).toEqual([]);
    store.plan('landed');
    expect((await markTask(parts, jti, WID)).duplicate).toBe(true);
    expect(await taintsOf(parts, WID)).toEqual([[jti, 'task', '']]);
  });

  test('is no task: nothing can follow it, and it is in no workflow', async () => {
    const { parts } = await makeAuthority();
    await markTask(parts, JTI, WID);
    const child = await issueFor(parts, { wid: WID, pred: [JTI] });
    expect(await reasonOf(appendTo(parts, child.token))).toBe('DAG_PREDECESSOR_MISSING');
    expect(await reasonOf(examineRecorded(parts, WID, endless))).toBe('WORKFLOW_NOT_FOUND');
    expect(await reasonOf(examineRecorded(parts, MARK_SCOPE, endless))).toBe('WORKFLOW_NOT_FOUND');
  });
});

describe('taints', () => {
  test('are on what is marked and on all that came after, in a workflow and in a drawing', async () => {
    const { parts } = await makeAuthority();
    const root = await recordTask(parts, { wid: WID });
    const bad = await recordTask(parts, { wid: WID, pred: [root] });
    const after = await recordTask(parts, { wid: WID, pred: [bad] });
    await recordTask(parts, { wid: WID, pred: [root] });
    expect(await taintsOf(parts, WID)).toEqual([]);
    const { record } = await markTask(parts, bad, WID);
    expect(await taintsOf(parts, WID)).toEqual([
      [bad, 'task', ''],
      [after, 'ancestor', bad],
    ]);
    const answer = await validateDag(parts, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({ report: { status: 'complete', tainted: [{ entry: record.index }, {}] } });
  });

  test('of a key are on every task that it signed, whichever workflow it is of', async () => {
    const { parts, signer } = await makeAuthority();
    const jti = await recordTask(parts, { wid: WID });
    await recordTask(parts, { wid: OTHER_JTI });
    const { kid } = signer.jwk;
    await mark(parts, { kind: 'key', kid });
    for (const wid of [WID, OTHER_JTI]) {
      expect((await examineRecorded(parts, wid, endless)).tainted).toMatchObject([{ source: 'key', kid }]);
    }
    const { token, dag } = await issueFor(parts, { wid: WID, pred: [jti] });
    expect(dag?.tainted.map(({ source }) => source)).toEqual(['key', 'key']);
    // A verdict rests on the same mark.
    expect(reasonIn(await verifyFor(parts, token, { dag: 'complete' }))).toBe('KEY_REVOKED');
  });

  test('make no token invalid and hold no task back: they are for review', async () => {
    const { parts } = await makeAuthority();
    const bad = await recordTask(parts, { wid: WID });
    await markTask(parts, bad, WID);
    const { token, claims, dag } = await issueFor(parts, { wid: WID, pred: [bad] });
    const tainted = [
      { task: { jti: claims.jti }, source: 'ancestor', ancestor: { jti: bad } },
      { task: { jti: bad }, source: 'task', ancestor: undefined },
    ];
    expect(dag).toMatchObject({ status: 'complete', tainted });
    const verdict = await verifyFor(parts, token, { dag: 'complete' });
    expect(reasonIn(verdict)).toBe('VALID');
    expect(verdict.dag).toMatchObject({ status: 'complete', tainted });
    expect(await reasonOf(appendTo(parts, token))).toBe('OK');
  });

  test('of tasks that are recorded nowhere count in bundles and among tokens that were handed along', async () => {
    const { parts } = await makeAuthority();
    const first = await issueFor(parts, { wid: WID });
    const { token, claims } = await issueFor(parts, { wid: WID, pred: [first.claims.jti] });
    await markTask(parts, first.claims.jti, WID);
    const question = { dag: 'complete', predecessors: [first.token], replay: 'skip' } as const;
    const verdict = await verifyFor(parts, token, question);
    expect(verdict.dag?.tainted).toMatchObject([
      { task: { jti: claims.jti }, ancestor: { jti: first.claims.jti } },
      { source: 'task' },
    ]);
    const answer = await validateDag(parts, { kind: 'bundle', tokens: [token, first.token] }, endless);
    expect(answer).toMatchObject({
      report: { tainted: [{ task: { jti: claims.jti } }, { task: { jti: first.claims.jti } }] },
    });
    // Even where the marked predecessor itself is not at hand.
    const alone = await verifyFor(parts, token, { dag: 'partial', replay: 'skip' });
    expect(alone.dag).toMatchObject({
      status: 'partial',
      tainted: [{ task: { jti: claims.jti }, ancestor: { jti: first.claims.jti } }],
    });
  });
});

describe('what a look at the graph costs', () => {
  test('a call that does not look at the graph reads nothing; others read the predecessors, and new marks', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts } = await makeAuthority(store);
    const a = await recordTask(parts, { wid: WID });
    const b = await recordTask(parts, { wid: WID, pred: [a] });
    const { token } = await issueFor(parts, { wid: WID, pred: [b] });
    const during = async (work: () => Promise<unknown>) => {
      const before = new Map(store.calls);
      await work();
      return ['find', 'lookUp', 'list'].map((method) => (store.calls.get(method) ?? 0) - (before.get(method) ?? 0));
    };
    expect(await during(() => issueFor(parts))).toEqual([0, 0, 0]);
    expect(await during(() => verifyFor(parts, token, { replay: 'skip' }))).toEqual([0, 0, 0]);
    expect(await during(() => issueFor(parts, { wid: WID, pred: [b] }))).toEqual([0, 1, 1]);
    expect(await during(() => verifyFor(parts, token, { dag: 'complete', replay: 'skip' }))).toEqual([1, 1, 1]);
    expect(await during(() => examineRecorded(parts, WID, endless))).toEqual([0, 0, 2]);
    expect(await during(() => appendTo(parts, token))).toEqual([1, 1, 0]);
  });

  test('R10: what follows a long past costs the same once it was looked through, and a new mark is seen at once', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts } = await makeAuthority(store);
    const names: string[] = [];
    for (let at = 0; at < 60; at++) names.push(await recordTask(parts, { wid: WID, pred: names.slice(-1) }));
    const look = async () => {
      const before = store.calls.get('lookUp') ?? 0;
      const { claims, dag } = await issueFor(parts, { wid: WID, pred: names.slice(-1) });
      const tainted = dag?.tainted.map(({ task: { jti }, ancestor }) => [
        jti === claims.jti ? 'own' : jti,
        ancestor?.jti ?? '',
      ]);
      return [tainted, (store.calls.get('lookUp') ?? 0) - before];
    };
    expect(await look()).toEqual([[], 1]);
    await markTask(parts, OTHER_JTI, WID);
    expect(await look()).toEqual([[], 60]);
    expect(await look()).toEqual([[], 1]);
    await markTask(parts, names[30]!, WID);
    const after = [
      ['own', names[30]],
      [names.at(-1), names[30]],
    ];
    expect(await look()).toEqual([after, 30]);
    expect(await look()).toEqual([after, 1]);
  });
});
