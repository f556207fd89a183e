// The rules at their edges, seen through the examination of one task.

import { describe, expect, test } from 'vitest';
import {
  bundleAncestry,
  DEFAULT_DAG_POLICY,
  examineTask,
  examineWorkflow,
  MAX_ANCESTORS,
  type Task,
} from '../../src/dag/index.ts';
import { chain, idsOf, named, task } from './graphs.ts';

function examine(own: Task, others: readonly Task[] = [], policy = DEFAULT_DAG_POLICY) {
  return examineTask(own, bundleAncestry(others), { exists: false }, { policy });
}

async function faults(own: Task, others: readonly Task[] = [], policy = DEFAULT_DAG_POLICY) {
  return (await examine(own, others, policy)).violations.map(({ reason, tasks }) => [reason, ...idsOf(tasks)]);
}

describe('uniqueness', () => {
  test('a name that another task holds is rejected', async () => {
    const own = task('a', [], { wid: 'w1' });
    const report = await examineTask(own, bundleAncestry([]), { exists: true });
    expect(report).toMatchObject({
      status: 'invalid',
      violations: [{ reason: 'DAG_DUPLICATE_TASK', tasks: [{ wid: 'w1', jti: 'a' }] }],
    });
    expect(report.violations[0]!.message).toBe('Another task already has the name a in workflow w1.');
  });

  test('without workflow, the message says so', async () => {
    const report = await examineTask(task('a'), bundleAncestry([]), { exists: true });
    expect(report.violations[0]!.message).toBe('Another task already has the name a among the tasks without workflow.');
  });

  test('the same jti in another workflow is another task', async () => {
    expect(await faults(task('a', [], { wid: 'w1' }), [task('a', [], { wid: 'w2' })])).toEqual([]);
  });
});

describe('existence', () => {
  test('with every predecessor found the graph is complete', async () => {
    expect(await examine(task('b', ['a']), [task('a')])).toMatchObject({
      status: 'complete',
      unresolved: [],
      visited: 1,
    });
  });

  test('a missing predecessor makes the graph partial, never complete and not invalid (R9)', async () => {
    expect(await examine(task('b', ['a', 'x']), [task('a')])).toMatchObject({
      status: 'partial',
      violations: [],
      unresolved: named('x'),
    });
  });

  test('so does a missing ancestor further up', async () => {
    const others = [task('b', ['a']), task('a', ['x'])];
    expect(await examine(task('c', ['b']), others)).toMatchObject({
      status: 'partial',
      unresolved: named('x'),
      visited: 2,
    });
  });

  test('a violated rule outweighs a missing predecessor, and both are reported', async () => {
    expect(await examine(task('b', ['a', 'x']), [task('a', [], { iat: 2000 })])).toMatchObject({
      status: 'invalid',
      violations: [{ reason: 'DAG_TIME_ORDER' }],
      unresolved: named('x'),
    });
  });
});

describe('time', () => {
  test('a predecessor issued 30 s later is fine, 31 s later is rejected (R9)', async () => {
    expect(await faults(task('b', ['a']), [task('a', [], { iat: 1030 })])).toEqual([]);
    expect(await faults(task('b', ['a']), [task('a', [], { iat: 1031 })])).toEqual([['DAG_TIME_ORDER', 'b', 'a']]);
  });

  test('a predecessor may be older by any time', async () => {
    expect(await faults(task('b', ['a']), [task('a', [], { iat: 0 })])).toEqual([]);
  });

  test('the rule holds between ancestors too', async () => {
    const others = [task('b', ['a']), task('a', [], { iat: 1031 })];
    expect(await faults(task('c', ['b']), others)).toEqual([['DAG_TIME_ORDER', 'b', 'a']]);
  });

  test('the rule holds for the first task of many as for every other', async () => {
    const { violations } = await examineWorkflow([task('a', [], { iat: 1031 }), task('b', ['a'])]);
    expect(violations.map(({ reason, tasks }) => [reason, ...idsOf(tasks)])).toEqual([['DAG_TIME_ORDER', 'b', 'a']]);
  });

  test('all late predecessors are listed, and the message names five', async () => {
    const pred = Array.from({ length: 8 }, (_, at) => `p${at}`);
    const { violations } = await examine(
      task('b', pred),
      pred.map((jti) => task(jti, [], { iat: 5000 })),
    );
    expect(violations).toEqual([
      {
        reason: 'DAG_TIME_ORDER',
        message: 'Task b was issued more than 30 s before its predecessors p0, p1, p2, p3, p4 and 3 more.',
        tasks: named('b', ...pred),
      },
    ]);
  });
});

describe('acyclicity', () => {
  test('a task that names itself is rejected (R9)', async () => {
    const { violations, visited, unresolved } = await examine(task('a', ['a']));
    expect(violations).toEqual([{ reason: 'DAG_CYCLE', message: 'Task a names itself.', tasks: named('a') }]);
    expect({ visited, unresolved }).toEqual({ visited: 0, unresolved: [] });
  });

  test('two tasks that name one another are rejected, although the examined one is recorded nowhere (R9)', async () => {
    const { violations } = await examine(task('b', ['a']), [task('a', ['b'])]);
    expect(violations).toEqual([
      { reason: 'DAG_CYCLE', message: 'These tasks are their own ancestors: b, a.', tasks: named('b', 'a') },
    ]);
  });

  test('a long circle is rejected and named from the examined task on (R9)', async () => {
    const [root, ...others] = chain(500);
    const [cycle] = await faults({ ...root!, pred: ['c499'] }, others);
    expect(cycle!.slice(0, 3)).toEqual(['DAG_CYCLE', 'c0', 'c499']);
    expect(cycle).toHaveLength(501);
  });

  test('a circle among ancestors is rejected: what is behind the task is no graph without circles', async () => {
    const others = [task('b', ['a']), task('a', ['b'])];
    expect(await faults(task('c', ['b']), others)).toEqual([['DAG_CYCLE', 'b', 'a']]);
  });

  test('an ancestor of another workflow with the same jti is not the task itself', async () => {
    const others = [task('b', ['c'], { wid: '' }), task('c', ['a'], { wid: 'w2' }), task('a', [], { wid: 'w2' })];
    expect(await faults(task('a', ['b'], { wid: 'w1' }), others)).toEqual([]);
  });
});

describe('limit', () => {
  test('exactly 10,000 ancestors are fine (R9)', async () => {
    const report = await examine(task('own', ['c9999']), chain(MAX_ANCESTORS));
    expect(report).toMatchObject({ status: 'complete', violations: [], visited: 10_000, depth: 10_001 });
  });

  test('10,001 ancestors are rejected, not accepted at the limit (R9)', async () => {
    const report = await examine(task('own', ['c10000']), chain(MAX_ANCESTORS + 1));
    expect(report).toMatchObject({ status: 'invalid', visited: 10_000, depth: 0 });
    expect(report.violations).toEqual([
      {
        reason: 'DAG_TOO_DEEP',
        message: 'There are more than 10000 ancestors; the rest was not examined.',
        tasks: named('own'),
      },
    ]);
  });

  test('violations before the limit are reported as well', async () => {
    const policy = { ...DEFAULT_DAG_POLICY, maxAncestors: 2 };
    const others = [task('b', ['a', 'own']), task('a', ['x'], { iat: 5000 })];
    expect(await faults(task('own', ['b']), others, policy)).toEqual([
      ['DAG_TIME_ORDER', 'b', 'a'],
      ['DAG_CYCLE', 'own', 'b'],
      ['DAG_TOO_DEEP', 'own'],
    ]);
  });
});

describe('workflow', () => {
  const own = task('b', ['a'], { wid: 'w1' });

  test('a predecessor of another workflow is rejected, not called missing (R9)', async () => {
    const report = await examine(own, [task('a', [], { wid: 'w2' })]);
    expect(report).toMatchObject({ status: 'invalid', unresolved: [] });
    expect(report.violations).toEqual([
      {
        reason: 'DAG_WORKFLOW_MISMATCH',
        message: 'Task b of workflow w1 follows tasks of other workflows: a.',
        tasks: [
          { wid: 'w1', jti: 'b' },
          { wid: 'w2', jti: 'a' },
        ],
      },
    ]);
  });

  test('a predecessor of the same workflow or without one is fine', async () => {
    expect(await faults(own, [task('a', [], { wid: 'w1' })])).toEqual([]);
    expect(await faults(own, [task('a')])).toEqual([]);
  });

  test('a task without workflow may follow any', async () => {
    expect(await faults(task('b', ['a']), [task('a', [], { wid: 'w2' })])).toEqual([]);
  });

  test('a task of the same workflow is preferred to one of the same jti elsewhere', async () => {
    const others = [task('a', [], { wid: 'w2' }), task('a', [], { wid: 'w1' })];
    expect(await faults(own, others)).toEqual([]);
  });

  test('the rule holds between ancestors too', async () => {
    const others = [own, task('a', [], { wid: 'w2' })];
    expect(await faults(task('c', ['b'], { wid: 'w1' }), others)).toEqual([['DAG_WORKFLOW_MISMATCH', 'b', 'a']]);
  });

  test('links across are fine where the policy allows them', async () => {
    const policy = { ...DEFAULT_DAG_POLICY, linksAcrossWorkflows: true };
    expect(await faults(own, [task('a', [], { wid: 'w2' })], policy)).toEqual([]);
  });
});

describe('predecessor policy', () => {
  const rejected = task('a', [], { pol_decision: 'rejected' });

  test.each(['rejected', 'pending_human_review', 'Approved', ''])(
    'R9: a predecessor whose decision is "%s" is followed by no ordinary task',
    async (decision) => {
      const report = await examine(task('b', ['a']), [task('a', [], { pol_decision: decision })]);
      expect(report).toMatchObject({ status: 'invalid', unresolved: [] });
      expect(report.violations).toEqual([
        {
          reason: 'DAG_PREDECESSOR_NOT_APPROVED',
          message: 'Task b is no compensation and no review, and follows tasks that are not approved: a.',
          tasks: named('b', 'a'),
        },
      ]);
    },
  );

  test('a predecessor that was approved, or that no policy was asked about, may be followed by any task', async () => {
    const others = [task('a', [], { pol_decision: 'approved' }), task('c')];
    expect(await faults(task('b', ['a', 'c']), others)).toEqual([]);
  });

  test('a compensation or a review may follow', async () => {
    expect(await faults(task('b', ['a'], { isRemedy: true }), [rejected])).toEqual([]);
  });

  test('what follows the review is judged by the decision of the review, not by that of what was reviewed', async () => {
    const review = task('b', ['a'], { isRemedy: true, pol_decision: 'approved' });
    expect(await faults(task('c', ['b']), [rejected, review])).toEqual([]);
    const denied = { ...review, pol_decision: 'rejected' };
    expect(await faults(task('c', ['b']), [rejected, denied])).toEqual([['DAG_PREDECESSOR_NOT_APPROVED', 'c', 'b']]);
  });

  test('the own decision of a task is no fault of its own', async () => {
    expect(await faults(rejected)).toEqual([]);
  });

  test('the rule holds between ancestors too', async () => {
    const others = [task('b', ['a']), rejected];
    expect(await faults(task('c', ['b']), others)).toEqual([['DAG_PREDECESSOR_NOT_APPROVED', 'b', 'a']]);
  });

  test('it can be switched off', async () => {
    const policy = { ...DEFAULT_DAG_POLICY, predecessorPolicy: false };
    expect(await faults(task('b', ['a']), [rejected], policy)).toEqual([]);
  });
});

test('all broken rules are listed, in the order of the rules', async () => {
  const own = task('a', ['a', 'b', 'c'], { wid: 'w1' });
  const others = [
    task('b', [], { wid: 'w2' }),
    task('c', [], { wid: 'w1', iat: 9000, pol_decision: 'pending_human_review' }),
  ];
  const { violations } = await examineTask(own, bundleAncestry(others), { exists: true });
  expect(violations.map(({ reason }) => reason)).toEqual([
    'DAG_DUPLICATE_TASK',
    'DAG_TIME_ORDER',
    'DAG_CYCLE',
    'DAG_WORKFLOW_MISMATCH',
    'DAG_PREDECESSOR_NOT_APPROVED',
  ]);
});
