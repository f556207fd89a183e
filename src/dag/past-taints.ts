// Finds taints of a task whose ancestors are not walked, because the ledger vouches for it. Recorded tasks are searched once for each set
// of marks, and the results are cached.

import type { Yielder } from '../concurrency/yielder.ts';
import type { Ancestry } from './ancestry.ts';
import type { MarkSet, Marks } from './marks.ts';
import { listTaints, NO_TAINTS, originOf, ownOrigins, STEPS_PER_ORIGIN, spread, type Taints } from './taint.ts';
import type { Finding, Origin } from './taint-cache.ts';
import type { Task } from './task.ts';
import { type TaskGraph, walkAncestors } from './walk.ts';

/** A past with more unsearched tasks is not searched. */
const MAX_PAST_TASKS = 100_000;

/** The tainted tasks of a graph whose walk stopped at recorded tasks. Without marks nothing is searched. */
export async function findTaintedAtStops(
  graph: TaskGraph,
  ancestry: Ancestry,
  marks: Marks | undefined,
  yielder: Yielder,
): Promise<Taints> {
  const marked = await marks?.current();
  if (marked === undefined || marked.size === 0) return NO_TAINTS;
  const own = await ownOrigins(graph, marked, yielder);
  const open = graph.stops.filter((at) => own[at] === undefined);
  const past = await pastOrigins(
    open.map((at) => graph.tasks[at]!),
    ancestry,
    marked,
    yielder,
  );
  if (past === undefined) {
    return { tainted: listTaints(graph, own, await spread(graph, own, marked, yielder)), taintsUnknown: true };
  }
  const inherited = [...own];
  for (const [nth, at] of open.entries()) inherited[at] = past[nth];
  return { tainted: listTaints(graph, own, await spread(graph, inherited, marked, yielder)), taintsUnknown: false };
}

/** For each of these recorded tasks, where a taint of its ancestors begins. Undefined if they are too many to search. */
async function pastOrigins(
  tasks: readonly Task[],
  ancestry: Ancestry,
  marked: MarkSet,
  yielder: Yielder,
): Promise<readonly (Origin | undefined)[] | undefined> {
  const origins: (Origin | undefined)[] = [];
  // One by one: one that is too large does not affect the others, and shared ancestors are searched once.
  for (const task of tasks) {
    const finding = marked.known.get(task.entry) ?? (await lookThrough(task, ancestry, marked, yielder));
    if (finding === 'too large') return undefined;
    origins.push(isOrigin(finding) ? finding : undefined);
  }
  return origins;
}

/** Searches the ancestors of a recorded task that are not cached, and caches the results for all of them. */
async function lookThrough(task: Task, ancestry: Ancestry, marked: MarkSet, yielder: Yielder): Promise<Finding> {
  const { known } = marked;
  // Also kept here, because the cache may drop them during this wait.
  const ends = new Map<Task, Finding>();
  const past = await walkAncestors([task], ancestry, MAX_PAST_TASKS, yielder, (ancestor) => {
    const finding = originOf(ancestor, marked) ?? known.get(ancestor.entry);
    if (finding !== undefined) ends.set(ancestor, finding);
    return finding !== undefined;
  });
  if (past.cut || [...ends.values()].includes('too large')) {
    known.set(task.entry, 'too large');
    return 'too large';
  }
  const own = await ownOrigins(past, marked, yielder);
  for (const at of past.stops) {
    const end = ends.get(past.tasks[at]!);
    if (isOrigin(end)) own[at] = end;
  }
  const origins = await spread(past, own, marked, yielder);
  for (const [at, { entry }] of past.tasks.entries()) {
    if (yielder.step(STEPS_PER_ORIGIN)) await yielder.yield();
    known.set(entry, origins[at] ?? 'clean');
  }
  return origins[0] ?? 'clean';
}

function isOrigin(finding: Finding | undefined): finding is Origin {
  return typeof finding === 'object';
}
