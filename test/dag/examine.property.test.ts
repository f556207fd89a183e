// The examination of small random graphs, circles and workflows that share names included, against the naive model.

import { expect, test } from 'vitest';
import {
  bundleAncestry,
  DEFAULT_DAG_POLICY,
  examineLinks,
  examineTask,
  examineWorkflow,
  keyMark,
  type LedgerFacts,
  type Task,
  type TaskName,
  taskMark,
} from '../../src/dag/index.ts';
import { rounds } from '../support/full.ts';
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
    isRemedy: fc.boolean(),
  })
  .map(({ decision, isRemedy: mends, ...task }) => ({
    ...task,
    ...(decision === '' ? {} : { pol_decision: decision }),
    ...(mends ? { isRemedy: mends } : {}),
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
    { numRuns: rounds(3_000, 300) },
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
    { numRuns: rounds(3_000, 300) },
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

/** Tasks as they are offered to AppendLedger, one after the other: few names, so that a name often means another task later. */
const offer = fc.uniqueArray(
  fc.record({
    jti: fc.constantFrom('a', 'b', 'c', 'd'),
    wid: fc.constantFrom('', '', '', 'w1', 'w1', 'w1', 'w2'),
    late: fc.nat({ max: 33 }),
    kid,
    decision: fc.constantFrom('', '', '', '', '', '', '', 'rejected'),
  }),
  { minLength: 5, maxLength: 9, selector: ({ wid, jti }) => `${wid}/${jti}` },
);
const links = fc.array(fc.uniqueArray(fc.nat({ max: 8 }), { maxLength: 3 }), { minLength: 9, maxLength: 9 });
/** The first of them are recorded without their links, as they once were. */
const histories = fc.tuple(offer, links, fc.constantFrom(0, 0, 2, 3, 4, 9)).map(([named, preds, oldUntil]) =>
  named.map(({ jti, wid, late, kid: id, decision }, at) => ({
    isOld: at < oldUntil,
    offered: task(
      jti,
      // Names that were offered before, the last ones most often.
      [...new Set(preds[at]!.map((nth) => named[Math.max(0, at - 1 - (nth >> 1))]!.jti))].slice(0, at),
      { wid, iat: 1000 + late, kid: id, ...(decision === '' ? {} : { pol_decision: decision }) },
    ),
  })),
);

/** A task as the ledger keeps it. */
function recordedAs(own: Task, entry: number, facts: LedgerFacts | undefined, isOld: boolean): Task {
  const depth = own.pred.length === 0 ? 1 : isOld ? undefined : facts?.depth;
  const predWids = isOld ? undefined : facts?.predWids;
  return {
    ...own,
    entry,
    ...(depth === undefined ? {} : { depth }),
    ...(predWids === undefined ? {} : { predWids }),
  };
}

test('R9, R10: a ledger that walks nothing it vouches for takes exactly the tasks that a whole walk takes', async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.boolean(), async (history, linksAcrossWorkflows) => {
      const policy = { ...DEFAULT_DAG_POLICY, linksAcrossWorkflows };
      const recorded: Task[] = [];
      for (const { offered, isOld } of history) {
        const ledger = bundleAncestry(recorded);
        const { facts, ...short } = await examineLinks(offered, ledger, { exists: false }, { policy });
        const whole = await examineTask(offered, ledger, { exists: false }, { policy });
        const naive = expectedOf([offered], recorded, policy, 'all');
        expect(short.status).toBe(whole.status);
        expect(whole.status === 'complete').toBe(naive.violations.length + naive.unresolved.length === 0);
        expect(short.visited).toBeLessThanOrEqual(whole.visited);
        if (short.status !== 'complete') continue;
        // What is said of the whole path is right although it was not walked.
        expect([short.depth, short.pathLevel]).toEqual([naive.depth, naive.pathLevel]);
        recorded.push(recordedAs(offered, recorded.length, facts, isOld));
      }
      // Whatever was recorded later, no circle has closed, and what is settled is what it was when it was recorded.
      for (const own of recorded) {
        const others = recorded.filter((other) => other !== own);
        const now = expectedOf([own], others, policy, 'all');
        expect(now.violations.filter((violation) => violation.startsWith('DAG_CYCLE'))).toEqual([]);
        if (own.depth !== undefined) expect([now.violations, now.depth]).toEqual([[], own.depth]);
      }
    }),
    { numRuns: rounds(4_000, 300) },
  );
});

test('R9: tasks that are examined at the same time never close a circle, in whichever order they are recorded', async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }), async (history, waits) => {
      const recorded: Task[] = [];
      let late: { own: Task; facts: LedgerFacts | undefined }[] = [];
      const record = () => {
        for (const { own, facts } of late.reverse()) recorded.push(recordedAs(own, recorded.length, facts, false));
        late = [];
      };
      for (const [at, { offered: own }] of history.entries()) {
        const { status, facts } = await examineLinks(own, bundleAncestry(recorded), { exists: false });
        if (status === 'complete') late.push({ own, facts });
        if (!waits[at]) record();
      }
      record();
      for (const own of recorded) {
        const others = recorded.filter((other) => other !== own);
        expect(expectedOf([own], others, DEFAULT_DAG_POLICY, 'all').violations).toEqual([]);
      }
    }),
    { numRuns: rounds(2_000, 150) },
  );
});

test('taints of a past that is not walked are those that the naive model finds, in whichever order one looks', async () => {
  const looks = fc.array(fc.nat({ max: 8 }), { minLength: 3, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(histories, marks, looks, async (history, marked, order) => {
      const recorded: Task[] = [];
      for (const { offered, isOld } of history) {
        const { status, facts } = await examineLinks(offered, bundleAncestry(recorded), { exists: false });
        if (status === 'complete') recorded.push(recordedAs(offered, recorded.length, facts, isOld));
      }
      if (recorded.length === 0) return;
      const book = marking(marked);
      for (const nth of order) {
        const own = recorded[nth % recorded.length]!;
        const others = recorded.filter((other) => other !== own);
        const report = await examineLinks(own, bundleAncestry(others), { exists: false }, { marks: book });
        const isTainted = (one: Task) => {
          const rest = recorded.filter((other) => other !== one);
          return expectedOf([one], rest, DEFAULT_DAG_POLICY, 'all', marked).isTainted;
        };
        const names = ({ wid, jti: name }: TaskName) => `${wid}/${name}`;
        expect(report.tainted.map((taint) => names(taint.task))).toEqual(
          report.graph.tasks.filter(isTainted).map(names),
        );
        expect(report.taintsUnknown).toBe(false);
      }
    }),
    { numRuns: rounds(3_000, 300) },
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
  const { isTainted: _, ...facts } = expected;
  expect(factsOf(report)).toEqual(facts);
  const sound = expected.unresolved.length > 0 ? 'partial' : 'complete';
  expect(report.status).toBe(expected.violations.length > 0 ? 'invalid' : sound);
}
