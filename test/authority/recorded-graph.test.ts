// What the ledger keeps of a graph and vouches for, also for tasks that are appended at the same time and for many.

import { randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import {
  type AuthorityContext,
  dryRunAppend,
  type IssueInput,
  type Leaf,
  markCompromised,
  readLeaf,
  validateDag,
} from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import type { Candidate, Seal } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, WID } from '../support/tokens.ts';
import { examineRecorded } from './examine-recorded.ts';
import { anonymous, appendTo, endless, issueFor, reasonOf, recordTask, verifyFor } from './support.ts';

async function leafOf(context: AuthorityContext, wid: string, jti: string): Promise<Leaf> {
  const leaf = readLeaf((await context.ledger.find(wid, jti))!);
  if (leaf.type !== undefined) throw new TypeError('no task');
  return leaf;
}

describe('what the ledger vouches for', () => {
  test('R10: appending to a long chain reads one predecessor; ValidateDAG still walks all', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const LENGTH = 120;
    let pred: readonly string[] = [];
    let token = '';
    for (let at = 0; at < LENGTH; at++) {
      const issued = await issueFor({ ...context, ledger: (await makeAuthority()).context.ledger }, { wid: WID, pred });
      const before = store.calls.get('lookUp') ?? 0;
      await appendTo(context, issued.token);
      expect((store.calls.get('lookUp') ?? 0) - before, `task ${at}`).toBe(at === 0 ? 0 : 1);
      pred = [issued.claims.jti];
      token = issued.token;
    }
    expect(await leafOf(context, WID, pred[0]!)).toMatchObject({ depth: LENGTH });
    const before = store.calls.get('lookUp') ?? 0;
    const answer = await validateDag(context, { kind: 'token', token, predecessors: [] }, endless);
    expect(answer).toMatchObject({ report: { status: 'complete', visited: LENGTH - 1, pathLevel: 'L3' } });
    expect((store.calls.get('lookUp') ?? 0) - before).toBe(LENGTH - 1);
  });

  test('R10: neither does a dry run walk what is vouched for, nor a repeated append look twice', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    let pred: readonly string[] = [];
    for (let at = 0; at < 20; at++) pred = [await recordTask(context, { wid: WID, pred })];
    const { token } = await issueFor(context, { wid: WID, pred });
    const lookUps = async (run: () => Promise<unknown>) => {
      const before = { lookUp: store.calls.get('lookUp') ?? 0, find: store.calls.get('find') ?? 0 };
      await run();
      return [(store.calls.get('find') ?? 0) - before.find, (store.calls.get('lookUp') ?? 0) - before.lookUp];
    };
    expect(await lookUps(() => dryRunAppend(context, anonymous, token, endless))).toEqual([1, 1]);
    expect(await lookUps(() => appendTo(context, token))).toEqual([1, 1]);
    expect(await lookUps(() => appendTo(context, token))).toEqual([1, 0]);
  });

  test('an L3 token is vouched for like an appended one', async () => {
    const { context } = await makeAuthority();
    const root = await issueFor(context, { wid: WID, level: 'L3' });
    const next = await issueFor(context, { wid: WID, level: 'L3', pred: [root.claims.jti] });
    expect(await leafOf(context, WID, root.claims.jti)).toMatchObject({ depth: 1 });
    expect(await leafOf(context, WID, next.claims.jti)).toMatchObject({ depth: 2 });
    const later = { wid: WID, level: 'L3', record: 'async' } as const;
    const loner = await issueFor(context, later);
    const last = await issueFor(context, { ...later, pred: [next.claims.jti] });
    await context.recordings.drain();
    expect(await leafOf(context, WID, loner.claims.jti)).toMatchObject({ depth: 1 });
    expect(await leafOf(context, WID, last.claims.jti)).toMatchObject({ depth: 3 });
  });

  test('a link out of the workflow is written down, and stays what it is when its name is taken', async () => {
    const { context } = await makeAuthority();
    await recordTask(context, { jti: JTI });
    const first = await issueFor(context, { wid: WID, pred: [JTI] });
    await appendTo(context, first.token);
    const middle = first.claims.jti;
    const leaf = await leafOf(context, WID, middle);
    expect(leaf).toMatchObject({ depth: 2, pred: [JTI], pred_wid: [''] });
    const text = Buffer.from((await context.ledger.find(WID, middle))!.leaf).toString();
    expect(text).toBe(canonicalize(leaf));
    // In the workflow itself the name is free. Who takes it is another task, and no ancestor of anything recorded.
    await recordTask(context, { wid: WID, jti: JTI, pred: [middle] });
    const last = await recordTask(context, { wid: WID, pred: [JTI] });
    expect(await leafOf(context, WID, JTI)).toMatchObject({ depth: 3 });
    expect(await leafOf(context, WID, last)).toMatchObject({ depth: 4 });
    expect(await leafOf(context, WID, last)).not.toHaveProperty('pred_wid');
    expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 3, depth: 3 });
    // The recorded token is verified with the predecessor that it had: a mark on the later task is none of its own.
    await markCompromised(
      context,
      anonymous,
      { subject: { kind: 'task', jti: JTI, wid: WID }, note: '' },
      endless.signal,
    );
    const { dag } = await verifyFor(context, first.token, { dag: 'complete', replay: 'skip' });
    expect(dag).toMatchObject({ status: 'complete', depth: 2, tainted: [] });
  });

  test('of entries from before links were written down nothing: they are walked by their names, and a circle is rejected', async () => {
    const store = new OldLeaves(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    store.isOld = true;
    await recordTask(context, { jti: JTI });
    const middle = await recordTask(context, { wid: WID, pred: [JTI] });
    store.isOld = false;
    expect(await leafOf(context, WID, middle)).toMatchObject({ ancestors: 9 });
    expect(await leafOf(context, WID, middle)).not.toHaveProperty('depth');
    expect(await reasonOf(issueFor(context, { wid: WID, jti: JTI, pred: [middle] }))).toBe('DAG_CYCLE');
    const after = await recordTask(context, { wid: WID, pred: [middle] });
    expect(await leafOf(context, WID, after)).not.toHaveProperty('depth');
    const late = await recordOutside(context, { wid: WID, jti: JTI, pred: [after] });
    expect(await reasonOf(appendTo(context, late))).toBe('DAG_CYCLE');
    expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 2 });
  });
});

/** A token that another authority of the same key issued. */
async function recordOutside(context: AuthorityContext, order: Partial<IssueInput>): Promise<string> {
  const elsewhere = await makeAuthority();
  return (await issueFor({ ...context, ledger: elsewhere.context.ledger }, order)).token;
}

/** While `isOld`, leaves are written as they once were: with `ancestors`, without `depth` and `pred_wid`. */
class OldLeaves extends FaultyStore {
  isOld = false;

  override commit(candidates: readonly Candidate[], seal: Seal) {
    if (!this.isOld) return super.commit(candidates, seal);
    const aged = candidates.map((candidate) => ({
      ...candidate,
      leaf: (sealed: Parameters<Candidate['leaf']>[0]) => {
        const { depth: _, pred_wid: __, ...rest } = JSON.parse(Buffer.from(candidate.leaf(sealed)).toString()) as Leaf;
        return Buffer.from(canonicalize({ ...rest, ancestors: 9 }) as string);
      },
    }));
    return super.commit(aged, seal);
  }
}

describe('tasks that are appended at the same time', () => {
  test('R9: of a circle of tasks that race none is recorded', async () => {
    const { context } = await makeAuthority();
    const names = Array.from({ length: 20 }, () => randomUUID());
    const circle = await Promise.all(
      names.map((jti, at) => issueFor(context, { wid: WID, jti, pred: [names[(at + 1) % names.length]!] })),
    );
    for (let round = 0; round < 3; round++) {
      const reasons = await Promise.all(circle.map(({ token }) => reasonOf(appendTo(context, token))));
      expect(new Set(reasons)).toEqual(new Set(['DAG_PREDECESSOR_MISSING']));
    }
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('R11: 500 pairs in the wrong order: no link to nothing is ever complete, and a retry works', async () => {
    const { context } = await makeAuthority();
    const pairs = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const parent = await issueFor(context, { wid: WID });
        return { parent, child: await issueFor(context, { wid: WID, pred: [parent.claims.jti] }) };
      }),
    );
    const outcomes = await Promise.all(
      pairs.map(async ({ parent, child }) => {
        const [early] = await Promise.all([
          appendTo(context, child.token).catch((error: unknown) => error),
          appendTo(context, parent.token),
        ]);
        return early;
      }),
    );
    for (const early of outcomes) {
      expect(early instanceof EctError ? early.reason : early).toBe('DAG_PREDECESSOR_MISSING');
    }
    expect(await examineRecorded(context, WID, endless)).toMatchObject({
      status: 'complete',
      size: 500,
      unresolved: [],
    });
    await Promise.all(pairs.map(({ child }) => appendTo(context, child.token)));
    expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 1000, depth: 2 });
  });
});

describe('many tasks', () => {
  test('R10: a workflow of more pages than one is read whole', async () => {
    const { context } = await makeAuthority();
    await Promise.all(Array.from({ length: 401 }, () => recordTask(context, { wid: WID })));
    expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 401 });
  });

  test('H18: the loop is free while a large bundle is verified', async () => {
    const { context } = await makeAuthority();
    const tokens = await Promise.all(
      Array.from({ length: 300 }, async () => (await issueFor(context, { wid: WID })).token),
    );
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    expect(await validateDag(context, { kind: 'bundle', tokens }, endless)).toMatchObject({ report: { size: 300 } });
    running = false;
    expect(turns).toBeGreaterThanOrEqual(6);
  });
});
