// Finds the tainted tasks of a graph: those with a mark on themselves or their key, and all their descendants. A taint requests a review,
// and violates no rule.

import type { Yielder } from '../concurrency/yielder.ts';
import { isOlder, keyMark, type MarkSet, type Marks, taskMark } from './marks.ts';
import type { Origin } from './taint-cache.ts';
import { nameOf, type Task, type TaskName } from './task.ts';
import type { TaskGraph } from './walk.ts';

/** Why a task is tainted: its nearest source that was visited. A marked task may have tainted ancestors too. */
export interface Taint {
  readonly task: TaskName;
  readonly source: 'task' | 'key' | 'ancestor';
  /** The ancestor with a mark on itself or its key; undefined for the other sources. */
  readonly ancestor: TaskName | undefined;
  /** The marked key; empty for a marked task. */
  readonly kid: string;
  /** The entry of the mark in the ledger. */
  readonly entry: number;
}

/** The tainted tasks of a graph, in its order. */
export interface Taints {
  readonly tainted: readonly Taint[];
  /** Whether there are marks, and too many ancestors to search for them. */
  readonly taintsUnknown: boolean;
}

export const NO_TAINTS: Taints = { tainted: [], taintsUnknown: false };
/** The cost of one name, in steps. */
export const STEPS_PER_ORIGIN = 5;

/** The tainted tasks of a completely walked graph. Linear in the links; without marks nothing is done. */
export async function findTainted(graph: TaskGraph, marks: Marks | undefined, yielder: Yielder): Promise<Taints> {
  const marked = await marks?.current();
  if (marked === undefined || marked.size === 0) return NO_TAINTS;
  const own = await ownOrigins(graph, marked, yielder);
  return { tainted: listTaints(graph, own, await spread(graph, own, marked, yielder)), taintsUnknown: false };
}

export function listTaints(
  { tasks }: TaskGraph,
  own: readonly (Origin | undefined)[],
  origins: readonly (Origin | undefined)[],
): readonly Taint[] {
  return tasks.flatMap((tainted, at): Taint[] => {
    const origin = origins[at];
    if (origin === undefined) return [];
    const { kid, entry } = origin;
    const task = nameOf(tainted);
    if (origin !== own[at]) return [{ task, source: 'ancestor', ancestor: origin.task, kid, entry }];
    return [{ task, source: kid === '' ? 'task' : 'key', ancestor: undefined, kid, entry }];
  });
}

export async function ownOrigins(
  { tasks }: TaskGraph,
  marked: MarkSet,
  yielder: Yielder,
): Promise<(Origin | undefined)[]> {
  const origins: (Origin | undefined)[] = [];
  for (const task of tasks) {
    if (yielder.step(STEPS_PER_ORIGIN)) await yielder.yield();
    origins.push(originOf(task, marked));
  }
  return origins;
}

export function originOf(task: Task, marked: MarkSet): Origin | undefined {
  const { wid, jti, kid, knownAt } = task;
  const ofTask = marked.markOf(taskMark(wid, jti));
  if (ofTask !== undefined) return { task: nameOf(task), kid: '', entry: ofTask.entry };
  const key = kid === '' ? undefined : marked.markOf(keyMark(kid));
  if (key === undefined || isOlder(knownAt, key.since)) return undefined;
  return { task: nameOf(task), kid, entry: key.entry };
}

/** Links to missing predecessors. Each may mean a task of the same workflow, or one without a workflow. */
async function* missingLinks({ tasks, offsets, targets, unresolved }: TaskGraph, yielder: Yielder) {
  if (unresolved.length === 0) return;
  for (const [at, { wid, pred }] of tasks.entries()) {
    for (const [nth, jti] of pred.entries()) {
      if (yielder.step()) await yielder.yield();
      if (targets[offsets[at]! + nth]! < 0)
        yield {
          at,
          meanings: [
            { wid, jti },
            { wid: '', jti },
          ],
        };
    }
  }
}

/** By task, a missing predecessor with a mark. */
async function missingOrigins(
  graph: TaskGraph,
  marked: MarkSet,
  yielder: Yielder,
): Promise<ReadonlyMap<number, Origin>> {
  const origins = new Map<number, Origin>();
  for await (const { at, meanings } of missingLinks(graph, yielder)) {
    for (const task of meanings) {
      const mark = marked.markOf(taskMark(task.wid, task.jti));
      if (mark !== undefined && !origins.has(at)) origins.set(at, { task, kid: '', entry: mark.entry });
    }
  }
  return origins;
}

/** From the sources to all descendants, nearest first; each task is visited once, also in a cycle. */
export async function spread(
  graph: TaskGraph,
  own: readonly (Origin | undefined)[],
  marked: MarkSet,
  yielder: Yielder,
): Promise<readonly (Origin | undefined)[]> {
  const missing = await missingOrigins(graph, marked, yielder);
  const origins = own.map((origin, at) => origin ?? missing.get(at));
  const queue = [...origins.keys()].filter((at) => origins[at] !== undefined);
  if (queue.length === 0) return origins;
  const { starts, followers } = await turnLinks(graph, yielder);
  for (const at of queue) {
    for (let link = starts[at]!; link < starts[at + 1]!; link++) {
      if (yielder.step()) await yielder.yield();
      const follower = followers[link]!;
      if (origins[follower] !== undefined) continue;
      origins[follower] = origins[at];
      queue.push(follower);
    }
  }
  return origins;
}

/** The reversed links: the successors of task `i` are from `starts[i]` to before `starts[i + 1]`. */
async function turnLinks({ tasks, offsets, targets }: TaskGraph, yielder: Yielder) {
  const starts = new Int32Array(tasks.length + 1);
  for (const target of targets) {
    if (yielder.step()) await yielder.yield();
    if (target >= 0) starts[target + 1]!++;
  }
  for (let at = 0; at < tasks.length; at++) starts[at + 1]! += starts[at]!;
  const followers = new Int32Array(starts[tasks.length]!);
  const next = starts.slice();
  for (let at = 0; at < tasks.length; at++) {
    for (let link = offsets[at]!; link < offsets[at + 1]!; link++) {
      if (yielder.step()) await yielder.yield();
      const target = targets[link]!;
      if (target >= 0) followers[next[target]!++] = at;
    }
  }
  return { starts, followers };
}
