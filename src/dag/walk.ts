// Walks from tasks to their ancestors, level by level, and returns their graph. It applies no rule.

import { STEPS_PER_NAME, type Yielder } from '../concurrency/yielder.ts';
import type { Ancestry } from './ancestry.ts';
import { contextOf, distanceTo, type Task, type TaskName } from './task.ts';
import { indexTasks, type TaskIndex } from './task-index.ts';

/** Tasks and the links between them. The links of task `i` are those from `offsets[i]` to before `offsets[i + 1]`. */
export interface TaskGraph {
  /** The given tasks, then their ancestors, nearest level first. */
  readonly tasks: readonly Task[];
  readonly offsets: Int32Array;
  /** The position of each predecessor, in the order of `pred`; -1 for one that is missing or was not looked up. */
  readonly targets: Int32Array;
  /** Each missing predecessor, with the workflow in which it is named. */
  readonly unresolved: readonly TaskName[];
  /** The tasks at which the walk stopped on request: their predecessors were not looked up. */
  readonly stops: readonly number[];
  /** Whether there were more ancestors than the limit; the walk ended there. */
  readonly cut: boolean;
}

/** How many names are looked up together, because a storage may block the event loop for one lookup. */
const NAMES_PER_LOOKUP = 100;

interface Walk {
  /** The number of given tasks. They are found by name as if they were recorded. */
  readonly seeds: number;
  /** The given tasks, and every visited ancestor. */
  readonly index: TaskIndex;
  /** By workflow, the meaning of each name that is no task of that workflow; -1 if it has none. */
  readonly answers: Map<string, Map<string, number>>;
  readonly unresolved: TaskName[];
  /** How many more ancestors may be visited. */
  spare: number;
  cut: boolean;
}

/**
 * Walks from `seeds`, which have distinct names and are found by name themselves. A missing predecessor counts towards the limit too.
 * Linear in the number of links; each name is looked up once for each workflow that uses it. An ancestor for which `stopsAt` is true is
 * visited, but its predecessors are not. Visited tasks are added to a given index.
 */
export async function walkAncestors(
  seeds: readonly Task[] | TaskIndex,
  ancestry: Ancestry,
  maxAncestors: number,
  yielder: Yielder,
  stopsAt: (task: Task) => boolean = () => false,
): Promise<TaskGraph> {
  const index = 'add' in seeds ? seeds : indexTasks(seeds);
  const handedIn = index.tasks.length;
  const walk: Walk = {
    seeds: handedIn,
    index,
    answers: new Map(),
    unresolved: [],
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
      if (yielder.step()) await yielder.yield();
      if (next >= handedIn && stopsAt(task)) stops.push(next);
      else room -= await gatherNames(walk, task, names, yielder);
    }
    for (const [wid, jtis] of names) {
      const wanted = [...jtis];
      for (let start = 0; start < wanted.length && !walk.cut; start += NAMES_PER_LOOKUP) {
        await lookUp(walk, wid, wanted.slice(start, start + NAMES_PER_LOOKUP), ancestry, yielder);
      }
    }
  }
  return { ...(await link(walk, yielder)), stops, unresolved: walk.unresolved, cut: walk.cut };
}

/** Adds the unresolved predecessors of `task` to `names`, by workflow; returns how many were added. */
async function gatherNames(walk: Walk, task: Task, names: Map<string, Set<string>>, yielder: Yielder): Promise<number> {
  let added = 0;
  for (const [nth, jti] of task.pred.entries()) {
    if (yielder.step()) await yielder.yield();
    const wid = contextOf(task, nth);
    if (walk.index.workflow(wid).has(jti) || walk.answers.get(wid)?.has(jti)) continue;
    let wanted = names.get(wid);
    if (wanted === undefined) {
      wanted = new Set();
      names.set(wid, wanted);
    }
    const before = wanted.size;
    added += wanted.add(jti).size - before;
  }
  return added;
}

/** Looks names up and adds the tasks that they mean. A given task wins over an equally good one. */
async function lookUp(
  walk: Walk,
  wid: string,
  jtis: readonly string[],
  ancestry: Ancestry,
  yielder: Yielder,
): Promise<void> {
  const { index, unresolved } = walk;
  const known = walk.answers.get(wid) ?? new Map<string, number>();
  walk.answers.set(wid, known);
  // Yields before the lookup, because a storage may respond in the same turn, as would all walks that start in it.
  if (yielder.step(jtis.length * STEPS_PER_NAME)) await yielder.yield();
  const found = await ancestry.find(jtis, wid);
  for (const jti of jtis) {
    if (yielder.step()) await yielder.yield();
    const seed = index.find(jti, wid, walk.seeds);
    const task = found.get(jti);
    if (seed !== undefined && !(task && distanceTo(task, wid) < distanceTo(index.tasks[seed]!, wid))) {
      known.set(jti, seed);
      continue;
    }
    const isNew = !(task && index.workflow(task.wid).has(task.jti));
    if (isNew && walk.spare === 0) {
      // Accepting a graph at the limit would let a long history hide its content: the walk ends, and the graph is rejected.
      walk.cut = true;
      return;
    }
    if (isNew) walk.spare--;
    if (!task) unresolved.push({ wid, jti });
    known.set(jti, task ? index.add(task) : -1);
  }
}

async function link(walk: Walk, yielder: Yielder): Promise<Pick<TaskGraph, 'tasks' | 'offsets' | 'targets'>> {
  const { tasks } = walk.index;
  const offsets = new Int32Array(tasks.length + 1);
  for (const [at, { pred }] of tasks.entries()) {
    if (yielder.step()) await yielder.yield();
    offsets[at + 1] = offsets[at]! + pred.length;
  }
  const targets = new Int32Array(offsets[tasks.length]!);
  let at = 0;
  for (const task of tasks) {
    for (const [nth, jti] of task.pred.entries()) {
      if (yielder.step()) await yielder.yield();
      const wid = contextOf(task, nth);
      targets[at++] = walk.index.workflow(wid).get(jti) ?? walk.answers.get(wid)?.get(jti) ?? -1;
    }
  }
  return { tasks, offsets, targets };
}
