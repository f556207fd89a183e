// The examination of small random graphs, circles and workflows that share names included, against the naive model.

import { expect, test } from 'vitest';
import {
  bundleAncestry,
  DEFAULT_DAG_POLICY,
  examineNewTask,
  examineTask,
  examineWorkflow,
  keyMark,
  type Task,
  taskMark,
} from '../../src/dag/index.ts';
import { fc } from '../support/random.ts';
import { marking, task } from './graphs.ts';
import { expectedOf, factsOf } from './model.ts';

const jti = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const kid = fc.constantFrom('', 'k1', 'k2', 'k3');
const anyTask: fc.Arbitrary<Task> = fc
  .record({
    jti,
    wid: fc.constantFrom('', '', 'w1', 'w1', 'w2', 'w3'),
    iss: fc.constant('spiffe://example.com/agent/a'),
    iat: fc.integer({ min: 0, max: 70 }),
    pred: fc.uniqueArray(jti, { maxLength: 3 }),
    level: fc.constantFrom('L1' as const, 'L2' as const, 'L3' as const),
    kid,
    decision: fc.constantFrom('', '', '', 'approved', 'rejected', 'pending_human_review'),
    mends: fc.boolean(),
  })
  .map(({ decision, mends, ...task }) => ({
    ...task,
    ...(decision === '' ? {} : { pol_decision: decision }),
    ...(mends ? { mends } : {}),
  }));
const tasks = fc.uniqueArray(anyTask, { minLength: 1, maxLength: 9, selector: ({ wid, jti }) => `${wid}/${jti}` });
const policies = fc.record({
  maxAncestors: fc.constantFrom(1, 2, 3, 4, 10_000, 10_000, 10_000),
  clockSkewSeconds: fc.constant(30),
  linksAcrossWorkflows: fc.boolean(),
  predecessorPolicy: fc.boolean(),
});
const marks = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom('', 'w1', 'w2'), jti).map(([wid, name]) => taskMark(wid, name)),
    kid.map((id) => keyMark(id)),
  ),
  { maxLength: 2 },
);

test('one task is judged as the naive model judges it', async () => {
  await fc.assert(
    fc.asyncProperty(tasks, policies, marks, async ([task, ...others], policy, marked) => {
      const expected = expectedOf([task!], others, policy, 'all', marked);
      const examination = { policy, marks: marking(marked) };
      const report = await examineTask(task!, bundleAncestry(others), { exists: false }, examination);
      expectSame(report, expected, policy.maxAncestors);
    }),
    { numRuns: 3_000 },
  );
});

test('many tasks with others outside are judged as the naive model judges them', async () => {
  await fc.assert(
    fc.asyncProperty(tasks, fc.nat({ max: 9 }), policies, marks, async (all, split, policy, marked) => {
      const seeds = all.slice(0, split);
      const others = all.slice(split);
      const report = await examineWorkflow(seeds, bundleAncestry(others), { policy, marks: marking(marked) });
      expectSame(report, expectedOf(seeds, others, policy, 'seeds', marked), policy.maxAncestors);
    }),
    { numRuns: 3_000 },
  );
});

test('the verdict does not depend on the order of the tasks', async () => {
  const oneWorkflow = tasks.map((all) => all.map((task) => ({ ...task, wid: 'w1' })));
  const named = oneWorkflow.map((all) => all.filter((task, at) => all.findIndex((t) => t.jti === task.jti) === at));
  await fc.assert(
    fc.asyncProperty(named, marks, async (all, marked) => {
      const examination = { marks: marking(marked) };
      const forwards = await examineWorkflow(all, undefined, examination);
      const backwards = await examineWorkflow(all.toReversed(), undefined, examination);
      expect(factsOf(backwards)).toEqual(factsOf(forwards));
    }),
    { numRuns: 500 },
  );
});

test('a ledger that stops at what it has settled takes exactly the tasks that a whole walk takes', async () => {
  // Tasks are offered one after the other, as to AppendLedger. Only what is complete is recorded, with what it settles.
  // Two workflows and few names, so that a name often means one task first and another one later.
  const offer = fc.uniqueArray(
    fc.record({ jti: fc.constantFrom('a', 'b', 'c', 'd'), wid: fc.constantFrom('', 'w1'), late: fc.nat({ max: 40 }) }),
    { minLength: 3, maxLength: 8, selector: ({ wid, jti }) => `${wid}/${jti}` },
  );
  const links = fc.array(fc.uniqueArray(fc.nat({ max: 7 }), { maxLength: 2 }), { minLength: 8, maxLength: 8 });
  const histories = fc.tuple(offer, links).map(([named, preds]) =>
    named.map(({ jti, wid, late }, at) =>
      // Mostly names that were offered before.
      task(jti, [...new Set(preds[at]!.map((nth) => named[nth % Math.max(1, at)]!.jti))], { wid, iat: 1000 + late }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(histories, fc.constantFrom(2, 3, 10_000, 10_000), async (offered, maxAncestors) => {
      const policy = { ...DEFAULT_DAG_POLICY, maxAncestors };
      const recorded: Task[] = [];
      for (const own of offered) {
        const ledger = bundleAncestry(recorded);
        const short = await examineNewTask(own, ledger, { exists: false }, { policy });
        const whole = await examineTask(own, ledger, { exists: false }, { policy });
        expect(short.status === 'complete').toBe(whole.status === 'complete');
        if (short.status !== 'complete') continue;
        expect(short.settled === undefined).toBe(whole.settled === undefined);
        expect(short.settled ?? 0).toBeGreaterThanOrEqual(whole.settled ?? 0);
        expect(short.visited).toBeLessThanOrEqual(whole.visited);
        recorded.push(short.settled === undefined ? own : { ...own, settled: short.settled });
      }
    }),
    { numRuns: 3_000 },
  );
});

function expectSame(
  report: Awaited<ReturnType<typeof examineTask>>,
  expected: ReturnType<typeof expectedOf>,
  limit: number,
): void {
  if (expected.ancestors + expected.unresolved.length > limit) {
    expect(report.violations.map(({ reason }) => reason)).toContain('DAG_TOO_DEEP');
    expect(report.visited).toBeLessThanOrEqual(limit);
    expect(report).toMatchObject({ status: 'invalid', depth: 0, pathLevel: undefined });
    return;
  }
  expect(factsOf(report)).toEqual(expected);
  const sound = expected.unresolved.length > 0 ? 'partial' : 'complete';
  expect(report.status).toBe(expected.violations.length > 0 ? 'invalid' : sound);
}
