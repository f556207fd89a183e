// Examines the graph behind one task, or the graph that many tasks form. The lines of `judge` are the rules, in order.

import { createPace, type Pace } from '../pace.ts';
import { type Ancestry, bundleAncestry } from './ancestry.ts';
import { pathLevelOf } from './level.ts';
import { type DagPolicy, DEFAULT_DAG_POLICY, MAX_BUNDLE_TASKS } from './limits.ts';
import type { Marks } from './marks.ts';
import { orderTasks } from './order.ts';
import { findTaintedAtStops } from './past-taints.ts';
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
import { factsOf } from './settled.ts';
import { shapeOf } from './shape.ts';
import { findTainted, type Taints } from './taint.ts';
import type { Task, TaskName } from './task.ts';
import { type TaskGraph, walkAncestors } from './walk.ts';

/** What goes with an examination. */
export interface Examination {
  readonly policy?: DagPolicy;
  /** Where taints are looked up. Without, none is found. */
  readonly marks?: Marks;
  /** Shares the event loop with other work, and ends with the call. */
  readonly pace?: Pace;
  /** For many: what they follow outside of them is not walked further than to what the ledger vouches for. */
  readonly stopsOutside?: boolean;
}

/** Whether *another* task already stands under the task's `jti` in its workflow. The same task, recorded, is no other. */
interface Existence {
  readonly exists: boolean;
}

/**
 * The graph behind one task, all of it: every rule on every link, every taint. Throws only what `ancestry` and `marks`
 * throw, and why the call is over.
 */
export async function examineTask(
  task: Task,
  ancestry: Ancestry,
  { exists }: Existence,
  { policy = DEFAULT_DAG_POLICY, marks, pace = createPace() }: Examination = {},
): Promise<DagReport> {
  const graph = await walkAncestors([task], ancestry, policy.maxAncestors, pace);
  const counts = { handedIn: 1, members: graph.tasks.length };
  return judge(graph, counts, uniqueness(task, exists), await findTainted(graph, marks, pace), { policy, pace });
}

/**
 * One task and its predecessors, at a cost that does not grow with the past of what is recorded: where the ledger vouches
 * for a task, its past is not walked. The report is about the tasks that were met; depth and path level include the past.
 */
export async function examineLinks(
  task: Task,
  ancestry: Ancestry,
  { exists }: Existence,
  { policy = DEFAULT_DAG_POLICY, marks, pace = createPace() }: Examination = {},
): Promise<DagReport> {
  const graph = await walkAncestors([task], ancestry, policy.maxAncestors, pace, isVouchedFor);
  const tainted = await findTaintedAtStops(graph, ancestry, marks, pace);
  const counts = { handedIn: 1, members: graph.tasks.length };
  const report = await judge(graph, counts, uniqueness(task, exists), tainted, { policy, pace });
  return report.status === 'complete' ? { ...report, facts: factsOf(graph, report.depth) } : report;
}

function isVouchedFor({ depth }: Task): boolean {
  return depth !== undefined;
}

/**
 * The graph that the tasks of a workflow, or of a bundle, form. What they follow outside of it is found through
 * `external` and walked as well, so that a circle through another workflow is seen; without, it is unresolved. A task
 * that is handed in twice counts once. More than `maxTasks` are refused unexamined.
 */
export async function examineWorkflow(
  tasks: readonly Task[],
  external: Ancestry = bundleAncestry([]),
  { policy = DEFAULT_DAG_POLICY, marks, pace = createPace(), stopsOutside = false }: Examination = {},
  maxTasks: number = MAX_BUNDLE_TASKS,
): Promise<DagReport> {
  const tooMany = sizeLimit(tasks, maxTasks);
  if (tooMany.length > 0) return unexamined(tasks, tooMany);
  const { distinct, duplicates } = await uniquenessAmong(tasks, pace);
  const members = distinct.tasks.length;
  const counts = { handedIn: members, members };
  if (stopsOutside) {
    const graph = await walkAncestors(distinct, external, policy.maxAncestors, pace, isVouchedFor);
    const taints = await findTaintedAtStops(graph, external, marks, pace);
    // What is outside does not count towards the longest path.
    return judge({ ...graph, stops: [] }, counts, duplicates, taints, { policy, pace });
  }
  const graph = await walkAncestors(distinct, external, policy.maxAncestors, pace);
  return judge(graph, counts, duplicates, await findTainted(graph, marks, pace), { policy, pace });
}

/** Rule 1 was applied to what was handed in, rule 2 by the walk. */
async function judge(
  graph: TaskGraph,
  { handedIn, members }: { readonly handedIn: number; readonly members: number },
  duplicates: readonly DagViolation[],
  { tainted, taintsUnknown }: Taints,
  { policy, pace }: { readonly policy: DagPolicy; readonly pace: Pace },
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
    tainted,
    taintsUnknown,
    facts: undefined,
    graph,
  };
}

function statusOf(violations: readonly DagViolation[], unresolved: readonly TaskName[]): DagReport['status'] {
  if (violations.length > 0) return 'invalid';
  return unresolved.length > 0 ? 'partial' : 'complete';
}

function unexamined(tasks: readonly Task[], violations: readonly DagViolation[]): DagReport {
  const nothing = new Int32Array(1);
  const graph = { tasks: [], offsets: nothing, targets: nothing.slice(1), stops: [], unresolved: [], cut: true };
  const shape = { size: tasks.length, depth: 0, roots: [], leaves: [] };
  const unknown = { pathLevel: undefined, tainted: [], taintsUnknown: false, facts: undefined };
  return { status: 'invalid', violations, unresolved: [], visited: 0, ...shape, ...unknown, graph };
}
