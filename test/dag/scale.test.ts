// Large graphs: every task and link is visited a fixed number of times, and the event loop is free after every slice.
// What is asserted is counted, not timed; the time is printed.

import { describe, expect, test } from 'vitest';
import { createYielder, STEPS_PER_NAME, STEPS_PER_SLICE } from '../../src/concurrency/yielder.ts';
import {
  bundleAncestry,
  type DagReport,
  type Examination,
  examineTask,
  examineWorkflow,
  type Task,
  taskMark,
} from '../../src/dag/index.ts';
import { chain, countingPace, lastLayer, layers, marking, recording, task } from './graphs.ts';

const ROOT_MARK = marking([taskMark('', 'root')]);

/** `size` tasks after one root. */
const fan = [task('root'), ...Array.from({ length: 9_999 }, (_, at) => task(`f${at}`, ['root']))];
/** 2^3333 paths. */
const diamonds = Array.from({ length: 3_333 }, (_, at) => [
  task(at === 0 ? 'root' : `top${at}`, at === 0 ? [] : [`left${at - 1}`, `right${at - 1}`]),
  task(`left${at}`, [at === 0 ? 'root' : `top${at}`]),
  task(`right${at}`, [at === 0 ? 'root' : `top${at}`]),
]).flat();
/** Every task follows the 100 before it. */
const comb = Array.from({ length: 10_000 }, (_, at) =>
  task(
    at === 0 ? 'root' : `n${at}`,
    Array.from({ length: Math.min(at, 100) }, (_, nth) => (at - 1 - nth === 0 ? 'root' : `n${at - 1 - nth}`)),
  ),
);
const [first, ...others] = chain(10_000);
const long = [{ ...first!, jti: 'root' }, { ...others[0]!, pred: ['root'] }, ...others.slice(1)];

async function measure(name: string, run: (examination: Examination) => Promise<DagReport>) {
  const { yielder, steps, slices } = countingPace();
  const cpu = process.cpuUsage();
  const report = await run({ yielder, marks: ROOT_MARK });
  const { user, system } = process.cpuUsage(cpu);
  const links = report.graph.targets.length;
  console.log(
    `${name}: ${links} links, ${steps()} steps, ${slices.length} slices, ${(user + system) / 1000} ms of CPU`,
  );
  return { report, links, steps: steps(), slices };
}

/** Twelve passes over the links; each name is looked up once. */
function mostSteps(tasks: number, links: number): number {
  return 12 * links + (STEPS_PER_NAME + 30) * (tasks + 1);
}

describe.each<[name: string, tasks: readonly Task[], last: readonly string[], depth: number]>([
  ['a chain of 10,000', long, ['c9999'], 10_000],
  ['10,000 after one root', fan, fan.slice(-100).map(({ jti }) => jti), 2],
  ['a chain of diamonds with 2^3333 paths', diamonds, ['left3332', 'right3332'], 6_666],
  ['100 levels of 100 tasks, each after all of the level before', layers(100, 100), lastLayer(100, 100), 100],
  ['10,000 tasks, each after the 100 before it', comb, ['n9999'], 10_000],
])('%s', (name, tasks, last, depth) => {
  test('R10, H18: as a workflow', async () => {
    const { report, links, steps, slices } = await measure(name, (examination) =>
      examineWorkflow(tasks, undefined, examination),
    );
    expect(report).toMatchObject({ status: 'complete', size: tasks.length, depth, visited: 0 });
    expect(links).toBe(tasks.reduce((sum, { pred }) => sum + pred.length, 0));
    expect(steps).toBeLessThan(mostSteps(tasks.length, links));
    expect(Math.max(...slices)).toBeLessThan(2 * STEPS_PER_SLICE);
  });

  test('R10, H18: as the ancestors of one task, each looked up once', async () => {
    const { ancestry, calls } = recording(bundleAncestry(tasks));
    const { report, links, steps, slices } = await measure(name, (examination) =>
      examineTask(task('own', last), ancestry, { exists: false }, examination),
    );
    expect(report.status).toBe('complete');
    const named = calls.flatMap(({ jtis }) => jtis);
    expect(new Set(named).size).toBe(named.length);
    expect(named).toHaveLength(report.visited);
    expect(report.tainted.length).toBe(tasks[0]!.jti === 'root' ? report.visited + 1 : 0);
    expect(steps).toBeLessThan(mostSteps(report.visited, links));
    expect(Math.max(...slices)).toBeLessThan(2 * STEPS_PER_SLICE);
  });
});

test('R10: twice the links take twice the steps', async () => {
  const small = await measure('half', (examination) => examineWorkflow(layers(50, 100), undefined, examination));
  const large = await measure('whole', (examination) => examineWorkflow(layers(100, 100), undefined, examination));
  expect(large.steps / small.steps).toBeLessThan(2.1);
});

test('H18: the loop is free between the slices', async () => {
  let turns = 0;
  let running = true;
  const turn = () => {
    turns++;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  const { slices } = await measure('turns', (examination) => examineWorkflow(comb, undefined, examination));
  running = false;
  expect(slices.length).toBeGreaterThan((6 * 990_000) / STEPS_PER_SLICE);
  expect(turns).toBeGreaterThanOrEqual(slices.length - 1);
});

test('a slice ends as soon as its steps are used up, whatever each of them costs', async () => {
  const yielder = createYielder(undefined, () => 0);
  expect(yielder.step(STEPS_PER_SLICE - 1)).toBe(false);
  expect(yielder.step()).toBe(true);
  await yielder.yield();
  expect(yielder.step()).toBe(false);
  expect(yielder.step(STEPS_PER_SLICE)).toBe(true);
});
