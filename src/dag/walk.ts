// Follows tasks to their ancestors, level by level, and hands back the graph that they form. No rule is applied here.

import type { Ancestry } from './ancestry.ts';
import { type Pace, STEPS_PER_NAME } from '../pace.ts';
import { distanceTo, type Task } from './task.ts';
import { indexTasks, type TaskIndex } from './task-index.ts';

/** Tasks and the links between them. The links of task `i` are those from `offsets[i]` to before `offsets[i + 1]`. */
export interface TaskGraph {
  /** The tasks that the walk began with, then their ancestors, nearest level first. */
  readonly tasks: readonly Task[];
  readonly offsets: Int32Array;
  /** Position of each predecessor, in the order of `pred`; -1 for one that was not found or not looked up. */
  readonly targets: Int32Array;
  /** The `jti` of each predecessor that was looked up and not found. */
  readonly unresolved: readonly string[];
  /** The settled tasks whose own predecessors were not looked up; only where the walk was told to stop at them. */
  readonly stops: readonly number[];
  /** Whether there were more ancestors than the limit; the walk ended there. */
  readonly cut: boolean;
}

/** Names that are gathered before they are looked up together: a storage may hold the event loop for one look-up. */
const NAMES_PER_LOOKUP = 200;

interface Walk {
  /** The tasks that were handed in: they are found by the names of the walk as if they were recorded. */
  readonly seeds: TaskIndex;
  /** These and every ancestor that was met. */
  readonly index: TaskIndex;
  /** By workflow, what a name means there if it is no task of that workflow; -1 where it means nothing. */
  readonly answers: Map<string, Map<string, number>>;
  readonly unresolved: Set<string>;
  /** How many more ancestors may be met. */
  spare: number;
  cut: boolean;
}

/**
 * Walks from `seeds`, which have distinct names and are themselves found by the names of the walk. A predecessor that is
 * found nowhere is an ancestor too: it counts towards the limit. Linear in the number of links; each name is looked up
 * once for each workflow that uses it. With `stopAtSettled`, what the ledger vouches for is met but not walked.
 */
export async function walkAncestors(
  seeds: readonly Task[],
  ancestry: Ancestry,
  maxAncestors: number,
  pace: Pace,
  { stopAtSettled = false }: { readonly stopAtSettled?: boolean } = {},
): Promise<TaskGraph> {
  const named = indexTasks(seeds);
  if (pace.step(seeds.length)) await pace.rest();
  const index = indexTasks(seeds);
  if (pace.step(seeds.length)) await pace.rest();
  const walk: Walk = {
    seeds: named,
    index,
    answers: new Map(),
    unresolved: new Set(),
    spare: maxAncestors,
    cut: false,
  };

  const stops: number[] = [];
  let next = 0;
  while (next < index.tasks.length && !walk.cut) {
    const names = new Map<string, Set<string>>();
    const end = index.tasks.length;
    for (let room = NAMES_PER_LOOKUP; next < end && room > 0; next++) {
      const task = index.tasks[next]!;
      if (stopAtSettled && next >= seeds.length && task.settled !== undefined) stops.push(next);
      else room -= await gatherNames(walk, task, names, pace);
    }
    for (const [wid, jtis] of names) {
      if (!walk.cut) await lookUp(walk, wid, [...jtis], ancestry, pace);
    }
  }
  return { ...(await link(walk, pace)), stops, unresolved: [...walk.unresolved], cut: walk.cut };
}

/** Adds the predecessors of `task` that have no answer yet to `names`, by workflow; answers how many were added. */
async function gatherNames(walk: Walk, task: Task, names: Map<string, Set<string>>, pace: Pace): Promise<number> {
  const own = walk.index.workflow(task.wid);
  const known = walk.answers.get(task.wid);
  let wanted = names.get(task.wid);
  const before = wanted?.size ?? 0;
  for (const jti of task.pred) {
    if (pace.step()) await pace.rest();
    if (own.has(jti) || known?.has(jti)) continue;
    if (wanted === undefined) {
      wanted = new Set();
      names.set(task.wid, wanted);
    }
    wanted.add(jti);
  }
  return (wanted?.size ?? 0) - before;
}

/** Looks names up and takes in what they mean. A task that was handed in stands against an equally good one. */
async function lookUp(walk: Walk, wid: string, jtis: readonly string[], ancestry: Ancestry, pace: Pace): Promise<void> {
  const { seeds, index, unresolved } = walk;
  const known = walk.answers.get(wid) ?? new Map<string, number>();
  walk.answers.set(wid, known);
  const found = await ancestry.find(jtis, wid);
  if (pace.step(jtis.length * STEPS_PER_NAME)) await pace.rest();
  for (const jti of jtis) {
    if (pace.step()) await pace.rest();
    const seed = seeds.find(jti, wid);
    const task = found.get(jti);
    if (seed !== undefined && !(task && distanceTo(task, wid) < distanceTo(seeds.tasks[seed]!, wid))) {
      known.set(jti, seed);
      continue;
    }
    const isNew = task ? !index.workflow(task.wid).has(task.jti) : !unresolved.has(jti);
    if (isNew && walk.spare === 0) {
      // To accept at the limit would let a long history hide what it holds: the walk ends, and the graph is refused.
      walk.cut = true;
      return;
    }
    if (isNew) walk.spare--;
    if (!task) unresolved.add(jti);
    known.set(jti, task ? index.add(task) : -1);
  }
}

async function link(walk: Walk, pace: Pace): Promise<Pick<TaskGraph, 'tasks' | 'offsets' | 'targets'>> {
  const { tasks } = walk.index;
  const offsets = new Int32Array(tasks.length + 1);
  for (const [at, { pred }] of tasks.entries()) offsets[at + 1] = offsets[at]! + pred.length;
  const targets = new Int32Array(offsets[tasks.length]!);
  let at = 0;
  for (const { wid, pred } of tasks) {
    const own = walk.index.workflow(wid);
    const known = walk.answers.get(wid);
    for (const jti of pred) {
      if (pace.step()) await pace.rest();
      targets[at++] = own.get(jti) ?? known?.get(jti) ?? -1;
    }
  }
  return { tasks, offsets, targets };
}
