// Workflows and bundles as a whole.

import { describe, expect, test } from 'vitest';
import { bundleAncestry, examineWorkflow } from '../../src/dag/index.ts';
import { MAX_BUNDLE_TASKS } from '../../src/dag/limits.ts';
import { chain, named, task } from './graphs.ts';

describe('a workflow', () => {
  test('that fans out and in is complete, with its size, depth, roots and leaves', async () => {
    const tasks = [task('d', ['b', 'c']), task('a'), task('b', ['a']), task('c', ['a']), task('alone')];
    expect(await examineWorkflow(tasks)).toMatchObject({
      status: 'complete',
      size: 5,
      depth: 3,
      roots: named('a', 'alone'),
      leaves: named('d', 'alone'),
      visited: 0,
    });
  });

  test('of no tasks is complete and empty', async () => {
    expect(await examineWorkflow([])).toMatchObject({ status: 'complete', size: 0, depth: 0, roots: [], leaves: [] });
  });

  test('with a predecessor that is in neither the bundle nor outside is partial', async () => {
    expect(await examineWorkflow([task('b', ['a'])])).toMatchObject({
      status: 'partial',
      unresolved: named('a'),
      roots: [],
      leaves: named('b'),
      depth: 1,
    });
  });

  test('follows its predecessors outside, without counting them as its own', async () => {
    const tasks = [task('c', ['b'], { wid: 'w1' })];
    const outside = bundleAncestry([task('b', ['a']), task('a')]);
    expect(await examineWorkflow(tasks, outside)).toMatchObject({
      status: 'complete',
      size: 1,
      depth: 1,
      visited: 2,
      roots: [],
      leaves: [{ wid: 'w1', jti: 'c' }],
    });
  });

  test('is invalid where a circle leads through a task outside', async () => {
    const { violations } = await examineWorkflow([task('a', ['b'], { wid: 'w1' })], bundleAncestry([task('b', ['a'])]));
    expect(violations).toMatchObject([{ reason: 'DAG_CYCLE', tasks: [{ wid: 'w1', jti: 'a' }, ...named('b')] }]);
  });

  test('is invalid where its past outside is longer than the limit', async () => {
    const { status, violations, visited } = await examineWorkflow(
      [task('own', ['c10000'])],
      bundleAncestry(chain(10_001)),
    );
    expect({ status, visited }).toEqual({ status: 'invalid', visited: 10_000 });
    expect(violations).toMatchObject([{ reason: 'DAG_TOO_DEEP', tasks: named('own') }]);
  });

  test('with circles has no depth, and tasks on a circle are no leaves', async () => {
    const tasks = [task('a', ['b']), task('b', ['a']), task('self', ['self']), task('c', ['b'])];
    const report = await examineWorkflow(tasks);
    expect(report).toMatchObject({ status: 'invalid', depth: 0, roots: [], leaves: named('self', 'c') });
    expect(report.violations.map(({ tasks }) => tasks)).toEqual([named('a', 'b'), named('self')]);
  });
});

describe('tasks under one name', () => {
  test.each([
    ['other predecessors', task('a', ['b'])],
    ['as many other predecessors', task('a', ['c'])],
    ['one more predecessor', task('a', ['r', 'b'])],
    ['another issuer', task('a', ['r'], { iss: 'spiffe://example.com/agent/b' })],
    ['another time', task('a', ['r'], { iat: 1001 })],
    ['another action', task('a', ['r'], { exec_act: 'pay' })],
    ['another token', task('a', ['r'], { identity: 'x' })],
    ['another key', task('a', ['r'], { kid: 'key-b' })],
    ['another decision', task('a', ['r'], { pol_decision: 'approved' })],
    ['what it makes up for', task('a', ['r'], { isRemedy: true })],
  ])('that differ by %s are rejected, once a name', async (_, rival) => {
    const tasks = [task('r'), task('a', ['r']), rival, rival];
    const { status, violations, size } = await examineWorkflow(tasks);
    expect({ status, size }).toEqual({ status: 'invalid', size: 2 });
    expect(violations).toMatchObject([{ reason: 'DAG_DUPLICATE_TASK', tasks: named('a') }]);
  });

  test('that are one and the same count once', async () => {
    expect(await examineWorkflow([task('a'), task('a')])).toMatchObject({ status: 'complete', size: 1 });
  });

  test('of two workflows are two tasks', async () => {
    const tasks = [task('a', [], { wid: 'w1' }), task('a', [], { wid: 'w2' })];
    expect(await examineWorkflow(tasks)).toMatchObject({ status: 'complete', size: 2 });
  });
});

describe('size', () => {
  test('10,000 tasks are examined', async () => {
    expect(await examineWorkflow(chain(MAX_BUNDLE_TASKS))).toMatchObject({ status: 'complete', depth: 10_000 });
  });

  test('the depth is that of the longest path, whatever stands beside a task in the list', async () => {
    const tasks = [task('b', ['a']), task('a'), task('x'), task('c', ['b']), task('y', ['x'])];
    expect(await examineWorkflow(tasks)).toMatchObject({ status: 'complete', depth: 3, leaves: named('c', 'y') });
  });

  test('10,001 tasks are rejected unexamined', async () => {
    const report = await examineWorkflow(chain(MAX_BUNDLE_TASKS + 1));
    const nothing = { depth: 0, roots: [], leaves: [], unresolved: [], visited: 0, tainted: [], pathLevel: undefined };
    expect(report).toMatchObject({ status: 'invalid', size: 10_001, ...nothing });
    expect(report.graph).toMatchObject({ tasks: [], targets: new Int32Array(), unresolved: [], stops: [], cut: true });
    expect(report.violations).toEqual([
      {
        reason: 'DAG_TOO_DEEP',
        message: 'There are more than 10000 tasks, which is the most that can be examined together.',
        tasks: named('c10000'),
      },
    ]);
  });
});
