// The rules of the graph as the procedures apply them, and what the ledger keeps so that they can be applied again.

import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { type AuthorityContext, dryRunIssue, type Leaf, readLeaf, validateDag } from '../../src/authority/index.ts';
import { codeOf } from '../../src/calls/errors.ts';
import { rejectionOf } from '../../src/dag/index.ts';
import type { ErrorReason } from '../../src/errors.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { JTI, OTHER_JTI, WID } from '../support/tokens.ts';
import { examineRecorded } from './examine-recorded.ts';
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
