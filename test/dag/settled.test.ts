// What the ledger vouches for, and where it stops.

import { describe, expect, test } from 'vitest';
import {
  bundleAncestry,
  DEFAULT_DAG_POLICY,
  examineNewTask,
  examineTask,
  MAX_ANCESTORS,
  type Task,
} from '../../src/dag/index.ts';
import { chain, countingPace, recording, task } from './graphs.ts';

const fresh = { exists: false };

/** Appends tasks one after the other, as a ledger does: each is examined, and recorded with what it settles. */
async function record(tasks: readonly Task[], recorded = new Map<string, Task>()) {
  const names: string[] = [];
  const { pace, steps } = countingPace();
  for (const own of tasks) {
    const { ancestry, calls } = recording({
      find: async (jtis) => new Map(jtis.flatMap((jti) => (recorded.has(jti) ? [[jti, recorded.get(jti)!]] : []))),
    });
    const report = await examineNewTask(own, ancestry, fresh, { pace });
    expect(report.status, own.jti).toBe('complete');
    names.push(...calls.flatMap(({ jtis }) => jtis));
    recorded.set(own.jti, report.settled === undefined ? own : { ...own, settled: report.settled });
  }
  return { recorded, lookedUp: names.length, steps: steps() };
}

describe('a task whose whole past is in its own workflow is settled', () => {
  test('with as many ancestors as it has, along a chain', async () => {
    const { recorded } = await record(chain(50));
    expect([...recorded.values()].map(({ settled }) => settled)).toEqual([...Array(50).keys()]);
  });

  test('R10: appending a chain of 10,000 looks up one name a task, not its whole past', async () => {
    const cpu = process.cpuUsage();
    const { recorded, lookedUp, steps } = await record(chain(10_000));
    const { user, system } = process.cpuUsage(cpu);
    console.log(`a chain of 10,000 appended: ${lookedUp} names, ${steps} steps, ${(user + system) / 1000} ms of CPU`);
    expect(lookedUp).toBe(9_999);
    expect(steps).toBeLessThan(10_000 * 80);
    expect(recorded.get('c9999')?.settled).toBe(9_999);
  });

  test('the limit of 10,000 ancestors holds along a chain', async () => {
    const { recorded } = await record(chain(10_001));
    const ledger = bundleAncestry([...recorded.values()]);
    const report = await examineNewTask(task('own', ['c10000']), ledger, fresh);
    expect(report.violations).toMatchObject([{ reason: 'DAG_TOO_DEEP', tasks: ['own'] }]);
    expect((await examineNewTask(task('own', ['c9999']), ledger, fresh)).status).toBe('complete');
  });

  test('what two predecessors share is counted twice, until the limit asks for a whole walk', async () => {
    const diamonds = Array.from({ length: 20 }, (_, at) => [
      task(`top${at}`, at === 0 ? [] : [`left${at - 1}`, `right${at - 1}`]),
      task(`left${at}`, [`top${at}`]),
      task(`right${at}`, [`top${at}`]),
    ]).flat();
    const { recorded, lookedUp } = await record(diamonds);
    expect(recorded.get('top1')?.settled).toBe(4);
    const bounds = [...recorded.values()].map(({ settled }) => settled ?? Number.NaN);
    expect(Math.max(...bounds)).toBeLessThanOrEqual(MAX_ANCESTORS);
    // Twelve doublings reach the limit: one whole walk of some 40 tasks, which brings the count down again.
    expect(lookedUp).toBeLessThan(200);
    expect(recorded.get('top19')?.settled).toBeGreaterThanOrEqual(57);
  });
});

describe('a task is not settled', () => {
  test('where it follows a task of no workflow: that name may mean a task of its own workflow later', async () => {
    const recorded = [task('x', [], { settled: 0 }), task('p', ['x'], { wid: 'w1' })];
    const own = task('q', ['p'], { wid: 'w1' });
    expect((await examineNewTask(own, bundleAncestry(recorded), fresh)).settled).toBeUndefined();
    // And so the circle is seen that such a later task would close.
    const late = task('x', ['p'], { wid: 'w1' });
    expect(await examineNewTask(late, bundleAncestry(recorded), fresh)).toMatchObject({
      status: 'invalid',
      violations: [{ reason: 'DAG_CYCLE', tasks: ['x', 'p'] }],
    });
  });

  test('where a predecessor is missing, or a rule is broken', async () => {
    expect((await examineNewTask(task('a', ['x']), bundleAncestry([]), fresh)).settled).toBeUndefined();
    const others = bundleAncestry([task('b', [], { iat: 9000 })]);
    expect((await examineNewTask(task('a', ['b']), others, fresh)).settled).toBeUndefined();
  });

  test('of older entries, which say nothing: these are walked, and what is appended then is settled', async () => {
    const { ancestry, calls } = recording(bundleAncestry(chain(30)));
    expect((await examineNewTask(task('own', ['c29']), ancestry, fresh)).settled).toBe(30);
    expect(calls).toHaveLength(30);
  });
});

test('links to settled tasks are still held to every rule', async () => {
  const policy = DEFAULT_DAG_POLICY;
  const faults = async (own: Task, pred: Task) =>
    (await examineNewTask(own, bundleAncestry([pred]), fresh, { policy })).violations.map(({ reason }) => reason);
  const own = task('own', ['a'], { wid: 'w1' });
  const settled = { settled: 7 };
  expect(await faults(own, task('a', [], { ...settled, wid: 'w1', iat: 1031 }))).toEqual(['DAG_TIME_ORDER']);
  expect(await faults(own, task('a', [], { ...settled, wid: 'w2' }))).toEqual(['DAG_WORKFLOW_MISMATCH']);
  expect(await faults(own, task('a', [], { ...settled, wid: 'w1', pol_decision: 'rejected' }))).toEqual([
    'DAG_PREDECESSOR_NOT_APPROVED',
  ]);
});

test('everybody else walks the whole past: what is settled is only for the ledger that says so', async () => {
  const tasks = chain(20).map((each, at) => ({ ...each, settled: at }));
  const report = await examineTask(task('own', ['c19']), bundleAncestry(tasks), fresh);
  expect(report).toMatchObject({ visited: 20, depth: 21, roots: ['c0'] });
});

test('a past that may be too long is walked as a whole, under the same policy and for the same name', async () => {
  const settled = [task('a', [], { settled: 0, iat: 1001 }), task('b', ['a'], { settled: 1, iat: 1001 })];
  const ancestry = bundleAncestry([...settled, task('c', ['a'], { settled: 1, iat: 1001 })]);
  const policy = { ...DEFAULT_DAG_POLICY, maxAncestors: 3 };
  const judged = async (exists: boolean, clockSkewSeconds: number) => {
    const own = task('d', ['b', 'c']);
    const report = await examineNewTask(own, ancestry, { exists }, { policy: { ...policy, clockSkewSeconds } });
    return [report.status, report.graph.tasks.length, report.violations.map(({ reason }) => reason)];
  };
  expect(await judged(false, 1)).toEqual(['complete', 4, []]);
  expect(await judged(true, 1)).toEqual(['invalid', 4, ['DAG_DUPLICATE_TASK']]);
  expect(await judged(false, 0)).toEqual(['invalid', 4, ['DAG_TIME_ORDER']]);
});
