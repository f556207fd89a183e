// Examines the graph behind one task, or the graph that many tasks form. The lines of `judge` are the rules, in order.

import { type Ancestry, bundleAncestry } from './ancestry.ts';
import { pathLevelOf } from './level.ts';
import { type DagPolicy, DEFAULT_DAG_POLICY } from './limits.ts';
import { orderTasks } from './order.ts';
import { createPace, type Pace } from '../pace.ts';
import type { DagReport, DagViolation } from './report.ts';
import {
  acyclicity,
  approvedOnly,
  depthLimit,
  sameWorkflow,
  sizeLimit,
  timeOrder,
  uniqueness,
  uniquenessAmong,
} from './rules.ts';
import { ancestorsAtMost, settledBy } from './settled.ts';
import { shapeOf } from './shape.ts';
import { findTainted, type Marks } from './taint.ts';
import type { Task } from './task.ts';
import { type TaskGraph, walkAncestors } from './walk.ts';

/** What goes with an examination. */
export interface Examination {
  readonly policy?: DagPolicy;
  /** Where taints are looked up. Without, none is found. */
  readonly marks?: Marks;
  /** Shares the event loop with other work. */
  readonly pace?: Pace;
}

/**
 * The graph behind one task. `exists` says whether *another* task already stands under its `jti` in its workflow (the
 * same task, recorded before, is no other). Throws only what `ancestry` and `marks` throw.
 */
export async function examineTask(
  task: Task,
  ancestry: Ancestry,
  { exists }: { readonly exists: boolean },
  { policy = DEFAULT_DAG_POLICY, marks, pace = createPace() }: Examination = {},
): Promise<DagReport> {
  const graph = await walkAncestors([task], ancestry, policy.maxAncestors, pace);
  return examineAncestors(graph, uniqueness(task, exists), { policy, marks, pace });
}

/**
 * The same for a task that is about to be recorded where `ancestry` is: whether it may be. What the ledger has settled is
 * not walked again, so the report is about the rest, and of no use to others. Taints are not looked for.
 */
export async function examineNewTask(
  task: Task,
  ancestry: Ancestry,
  { exists }: { readonly exists: boolean },
  { policy = DEFAULT_DAG_POLICY, pace = createPace() }: Examination = {},
): Promise<DagReport> {
  const { maxAncestors } = policy;
  const graph = await walkAncestors([task], ancestry, maxAncestors, pace, { stopAtSettled: true });
  // What settled tasks share was counted twice: only a whole walk tells whether there are too many.
  if (ancestorsAtMost(graph) > maxAncestors) return examineTask(task, ancestry, { exists }, { policy, pace });
  return examineAncestors(graph, uniqueness(task, exists), { policy, marks: undefined, pace });
}

/**
 * The graph that the tasks of a workflow, or of a bundle, form. What they follow outside of it is found through
 * `external` and walked as well, so that a circle through another workflow is seen; without, it is unresolved. A task
 * that is handed in twice counts once. More than 10,000 tasks are refused unexamined.
 */
export async function examineWorkflow(
  tasks: readonly Task[],
  external: Ancestry = bundleAncestry([]),
  { policy = DEFAULT_DAG_POLICY, marks, pace = createPace() }: Examination = {},
): Promise<DagReport> {
  const tooMany = sizeLimit(tasks);
  if (tooMany.length > 0) return unexamined(tasks, tooMany);
  const { distinct, duplicates } = uniquenessAmong(tasks);
  if (pace.step(tasks.length)) await pace.rest();
  const graph = await walkAncestors(distinct, external, policy.maxAncestors, pace);
  const counts = { handedIn: distinct.length, members: distinct.length };
  return judge(graph, counts, duplicates, { policy, marks, pace });
}

interface Parts {
  readonly policy: DagPolicy;
  readonly marks: Marks | undefined;
  readonly pace: Pace;
}

async function examineAncestors(
  graph: TaskGraph,
  duplicates: readonly DagViolation[],
  parts: Parts,
): Promise<DagReport> {
  const report = await judge(graph, { handedIn: 1, members: graph.tasks.length }, duplicates, parts);
  return report.status === 'complete' ? { ...report, settled: settledBy(graph) } : report;
}

/** Rule 1 was applied to what was handed in, rule 2 by the walk. */
async function judge(
  graph: TaskGraph,
  { handedIn, members }: { readonly handedIn: number; readonly members: number },
  duplicates: readonly DagViolation[],
  { policy, marks, pace }: Parts,
): Promise<DagReport> {
  const { order, circles } = await orderTasks(graph, pace);
  const violations = [
    ...duplicates,
    ...(await timeOrder(graph, policy, pace)),
    ...acyclicity(graph, circles),
    ...depthLimit(graph, policy),
    ...(await sameWorkflow(graph, policy, pace)),
    ...(await approvedOnly(graph, policy, pace)),
  ];
  const isWhole = circles.length === 0 && !graph.cut;
  return {
    status: statusOf(violations, graph.unresolved),
    violations,
    unresolved: graph.unresolved,
    visited: graph.tasks.length - handedIn,
    ...(await shapeOf(graph, members, isWhole ? order : undefined, pace)),
    pathLevel: pathLevelOf(graph),
    tainted: marks === undefined ? [] : await findTainted(graph, marks, pace),
    settled: undefined,
    graph,
  };
}

function statusOf(violations: readonly DagViolation[], unresolved: readonly string[]): DagReport['status'] {
  if (violations.length > 0) return 'invalid';
  return unresolved.length > 0 ? 'partial' : 'complete';
}

function unexamined(tasks: readonly Task[], violations: readonly DagViolation[]): DagReport {
  const nothing = new Int32Array(1);
  const graph = { tasks: [], offsets: nothing, targets: nothing.slice(1), stops: [], unresolved: [], cut: true };
  const shape = { size: tasks.length, depth: 0, roots: [], leaves: [] };
  const unknown = { pathLevel: undefined, tainted: [], settled: undefined };
  return { status: 'invalid', violations, unresolved: [], visited: 0, ...shape, ...unknown, graph };
}
