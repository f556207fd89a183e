// The rules of the graph as the procedures apply them, and what the ledger keeps so that they can be applied again.

import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import {
  type AuthorityContext,
  dryRunAppend,
  dryRunIssue,
  examineRecorded,
  type IssueInput,
  type Leaf,
  markCompromised,
  readLeaf,
  validateDag,
} from '../../src/authority/index.ts';
import { codeOf } from '../../src/calls/errors.ts';
import { rejectionOf } from '../../src/dag/index.ts';
import { EctError, type ErrorReason } from '../../src/errors.ts';
import type { Candidate, Seal } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, OTHER_JTI, WID } from '../support/tokens.ts';
import {
  anonymous,
  appendTo,
  endless,
  issueFor,
  issueInput,
  reasonIn,
  reasonOf,
  recordTask,
  verifyFor,
} from './support.ts';

const extension = (members: Record<string, string | boolean>) => ({ value: members, text: JSON.stringify(members) });
const decided = (decision: string) => extension({ pol: 'policy_v1', pol_decision: decision });

async function leafOf(context: AuthorityContext, wid: string, jti: string): Promise<Leaf> {
  const leaf = readLeaf((await context.ledger.find(wid, jti))!);
  if (leaf.type !== undefined) throw new TypeError('no task');
  return leaf;
}

describe('the policy of predecessors', () => {
  test.each(['rejected', 'pending_human_review'])(
    'R9: nothing ordinary follows a task that is %s',
    async (decision) => {
      const { context } = await makeAuthority();
      const pred = await recordTask(context, { wid: WID, ext: decided(decision) });
      expect(await reasonOf(issueFor(context, { wid: WID, pred: [pred] }))).toBe('DAG_PREDECESSOR_NOT_APPROVED');
      const { failures } = await dryRunIssue(context, anonymous, issueInput({ wid: WID, pred: [pred] }), endless);
      expect(failures).toMatchObject([{ rejection: { reason: 'DAG_PREDECESSOR_NOT_APPROVED' } }]);
      const compensation = extension({ compensation_required: true });
      expect(await reasonOf(recordTask(context, { wid: WID, pred: [pred], ext: compensation }))).toBe('OK');
      expect(await reasonOf(recordTask(context, { wid: WID, pred: [pred], execAct: 'human_review' }))).toBe('OK');
      expect(await examineRecorded(context, WID, endless)).toMatchObject({ status: 'complete', size: 3 });
    },
  );

  test('a task that was approved may be followed, and one whose compensation is not required may not compensate', async () => {
    const { context } = await makeAuthority();
    const approved = await recordTask(context, { ext: decided('approved') });
    const rejected = await recordTask(context, { ext: decided('rejected') });
    expect(await reasonOf(issueFor(context, { pred: [approved] }))).toBe('OK');
    const ext = extension({ compensation_required: false });
    expect(await reasonOf(issueFor(context, { pred: [rejected], ext }))).toBe('DAG_PREDECESSOR_NOT_APPROVED');
  });

  test('tokens that came along are held to it by Verify and by a bundle', async () => {
    const { context } = await makeAuthority();
    const pred = await issueFor(context, { jti: JTI, ext: decided('rejected') });
    const { token } = await issueFor(context, { pred: [JTI] });
    const question = { dag: 'complete', predecessors: [pred.token] } as const;
    expect(reasonIn(await verifyFor(context, token, question))).toBe('DAG_PREDECESSOR_NOT_APPROVED');
    const answer = await validateDag(context, { kind: 'bundle', tokens: [pred.token, token] }, endless);
    expect(answer).toMatchObject({ report: { violations: [{ reason: 'DAG_PREDECESSOR_NOT_APPROVED' }] } });
  });

  test('the leaf carries what the rule needs, and nothing where there is nothing to carry', async () => {
    const { context } = await makeAuthority();
    const pred = await recordTask(context, { ext: decided('rejected') });
    const undo = await recordTask(context, { pred: [pred], ext: extension({ compensation_required: true }) });
    const review = await recordTask(context, { pred: [pred], execAct: 'human_review', ext: decided('approved') });
    const plain = await recordTask(context, { pred: [undo, review] });
    expect(await leafOf(context, '', pred)).toMatchObject({ pol_decision: 'rejected', depth: 1 });
    expect(await leafOf(context, '', undo)).toMatchObject({ compensation: true });
    expect(await leafOf(context, '', review)).toMatchObject({ review: true, pol_decision: 'approved' });
    const leaf = await leafOf(context, '', plain);
    for (const member of ['pol_decision', 'compensation', 'review']) expect(leaf).not.toHaveProperty(member);
    expect(Buffer.from((await context.ledger.find('', undo))!.leaf).toString()).not.toContain('policy_v1');
  });

  test('a workflow is judged from the leaves alone, as its tasks were when they were recorded', async () => {
    const store = new MemoryLedgerStore();
    const review = { predecessorPolicy: true, reviewActions: ['second_look'] };
    const { context } = await makeAuthority(store, { graph: review });
    const pred = await recordTask(context, { wid: WID, ext: decided('pending_human_review') });
    await recordTask(context, { wid: WID, pred: [pred], execAct: 'second_look' });
    const renamed = {
      ...context,
      policy: { ...context.policy, graph: { ...review, reviewActions: ['human_review'] } },
    };
    expect(await examineRecorded(renamed, WID, endless)).toMatchObject({ status: 'complete' });
  });

  test('it can be switched off', async () => {
    const { context } = await makeAuthority(undefined, { graph: { predecessorPolicy: false, reviewActions: [] } });
    const pred = await recordTask(context, { ext: decided('rejected') });
    expect(await reasonOf(recordTask(context, { pred: [pred] }))).toBe('OK');
  });
});

describe('R9: twelve shapes of a bad graph', () => {
  interface Shape {
    readonly jti: string;
    readonly pred?: readonly string[];
    readonly wid?: string;
    /** Seconds after the others. */
    readonly later?: number;
    readonly decision?: string;
  }
  const ring = (length: number): Shape[] =>
    Array.from({ length }, (_, at) => ({ jti: `n${at}`, pred: [`n${(at + 1) % length}`] }));
  const shapes: readonly [name: string, reason: ErrorReason, tasks: readonly Shape[]][] = [
    ['two tasks after each other', 'DAG_CYCLE', ring(2)],
    ['a long circle', 'DAG_CYCLE', ring(50)],
    ['a tail on a circle', 'DAG_CYCLE', [...ring(3), { jti: 'tail', pred: ['n0'] }]],
    ['a task of no known predecessor', 'DAG_PREDECESSOR_MISSING', [{ jti: 'a', pred: ['x'] }]],
    [
      'a gap further up',
      'DAG_PREDECESSOR_MISSING',
      [
        { jti: 'a', pred: ['x'] },
        { jti: 'b', pred: ['a'] },
      ],
    ],
    [
      'a predecessor 31 s later',
      'DAG_TIME_ORDER',
      [
        { jti: 'a', later: 31 },
        { jti: 'b', pred: ['a'] },
      ],
    ],
    [
      'a predecessor of another workflow',
      'DAG_WORKFLOW_MISMATCH',
      [
        { jti: 'a', wid: 'w' },
        { jti: 'b', pred: ['a'], wid: 'v' },
      ],
    ],
    ['two tokens for one task', 'DAG_DUPLICATE_TASK', [{ jti: 'a' }, { jti: 'a', later: 1 }]],
    [
      'a rejected predecessor',
      'DAG_PREDECESSOR_NOT_APPROVED',
      [
        { jti: 'a', decision: 'rejected' },
        { jti: 'b', pred: ['a'] },
      ],
    ],
    [
      'one under review',
      'DAG_PREDECESSOR_NOT_APPROVED',
      [
        { jti: 'a', decision: 'pending_human_review' },
        { jti: 'b', pred: ['a'] },
      ],
    ],
    [
      'a circle behind a good root',
      'DAG_CYCLE',
      [{ jti: 'r' }, { jti: 'a', pred: ['r', 'b'] }, { jti: 'b', pred: ['a'] }],
    ],
    ['10,001 tasks', 'DAG_TOO_DEEP', []],
  ];

  test.each(shapes)('%s: %s', async (_, reason, tasks) => {
    const { context, clock } = await makeAuthority();
    const ids = new Map<string, string>();
    const idOf = (name: string) => ids.get(name) ?? ids.set(name, randomUUID()).get(name)!;
    const issueShape = async ({ jti, pred = [], wid, later = 0, decision }: Shape) => {
      clock.advance(later);
      const ext = decision === undefined ? undefined : decided(decision);
      const order = { jti: idOf(jti), wid: wid === undefined ? '' : idOf(wid), pred: pred.map(idOf), ext };
      const { token } = await issueFor(context, order);
      clock.advance(-later);
      return token;
    };
    const tokens: string[] = [];
    for (const shape of tasks) tokens.push(await issueShape(shape));
    if (tasks.length === 0) {
      const token = await issueShape({ jti: 'a' });
      tokens.push(...Array.from({ length: 10_001 }, () => token));
    }
    clock.advance(100);
    const answer = await validateDag(context, { kind: 'bundle', tokens }, endless);
    if ('rejection' in answer) throw new TypeError(answer.rejection.message);
    const { report } = answer;
    expect(rejectionOf(report, { complete: true })?.reason).toBe(reason);
    expect(report.status).toBe(reason === 'DAG_PREDECESSOR_MISSING' ? 'partial' : 'invalid');
    expect(codeOf(reason)).toBe(reason === 'DAG_DUPLICATE_TASK' ? Code.AlreadyExists : Code.FailedPrecondition);
  });
});

describe('the level of a path', () => {
  test('is L3 where all of it is recorded, the task itself included, and L2 where one is not', async () => {
    const { context } = await makeAuthority();
    const pred = await recordTask(context);
    const { token } = await issueFor(context, { pred: [pred] });
    const levelOf = async () => (await verifyFor(context, token, { dag: 'complete', replay: 'skip' })).dag?.pathLevel;
    expect(await levelOf()).toBe('L2');
    await appendTo(context, token);
    expect(await levelOf()).toBe('L3');
    const loose = await issueFor(context, { jti: OTHER_JTI });
    const { token: mixed } = await issueFor(context, { pred: [pred, OTHER_JTI] });
    const question = { dag: 'complete', predecessors: [loose.token] } as const;
    expect((await verifyFor(context, mixed, question)).dag?.pathLevel).toBe('L2');
  });

  test('is not known where a predecessor is not', async () => {
    const { context } = await makeAuthority();
    const { dag } = await issueFor(context, { pred: [OTHER_JTI] });
    expect(dag).toMatchObject({ status: 'partial', pathLevel: undefined });
  });

  test('of a token that is recorded before it leaves is L3', async () => {
    const { context } = await makeAuthority();
    const pred = await recordTask(context);
    expect((await issueFor(context, { pred: [pred], level: 'L3' })).dag?.pathLevel).toBe('L3');
    expect((await issueFor(context, { pred: [pred] })).dag?.pathLevel).toBe('L2');
  });

  test('of a token that leaves before it is recorded is L2, and of an unsigned object L1', async () => {
    const { context } = await makeAuthority();
    const pred = await recordTask(context);
    const later = await issueFor(context, { pred: [pred], level: 'L3', record: 'async' });
    expect(later).toMatchObject({ level: 'L2', dag: { pathLevel: 'L2' } });
    expect((await issueFor(context, { pred: [pred], level: 'L1' })).dag?.pathLevel).toBe('L1');
    await context.recordings.drain();
  });
});

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
