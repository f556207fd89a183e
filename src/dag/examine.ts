// Examines the graph behind one task, or the graph of many tasks. The lines of `judge` are the rules, in order.

import { createYielder, type Yielder } from '../concurrency/yielder.ts';
import { type Ancestry, bundleAncestry } from './ancestry.ts';
import { factsOf } from './ledger-facts.ts';
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
import { shapeOf } from './shape.ts';
import { findTainted, type Taints } from './taint.ts';
import type { Task, TaskName } from './task.ts';
import { type TaskGraph, walkAncestors } from './walk.ts';

/** The options of an examination. */
export interface Examination {
  readonly policy?: DagPolicy;
  /** Where taints are looked up. Undefined: none is found. */
  readonly marks?: Marks;
  /** Shares the event loop with other work, and ends with the call. */
  readonly yielder?: Yielder;
  /** For many tasks: predecessors outside them are only walked to what the ledger vouches for. */
  readonly stopsOutside?: boolean;
}

/** Whether *another* task is recorded under the `jti` of the task in its workflow. */
interface Existence {
  readonly exists: boolean;
}

/**
 * Examines the complete graph behind one task: every rule on every link, every taint. Throws only the errors of `ancestry` and `marks`,
 * and why the call has ended.
 */
export async function examineTask(
  task: Task,
  ancestry: Ancestry,
  { exists }: Existence,
  { policy = DEFAULT_DAG_POLICY, marks, yielder = createYielder() }: Examination = {},
): Promise<DagReport> {
  const graph = await walkAncestors([task], ancestry, policy.maxAncestors, yielder);
  const counts = { handedIn: 1, members: graph.tasks.length };
  return judge(graph, counts, uniqueness(task, exists), await findTainted(graph, marks, yielder), { policy, yielder });
}

/**
 * Examines one task and its predecessors, at a cost independent of the recorded past: if the ledger vouches for a task, its ancestors are
 * not walked. The report covers the visited tasks; depth and path level include the rest.
 */
export async function examineLinks(
  task: Task,
  ancestry: Ancestry,
  { exists }: Existence,
  { policy = DEFAULT_DAG_POLICY, marks, yielder = createYielder() }: Examination = {},
): Promise<DagReport> {
  const graph = await walkAncestors([task], ancestry, policy.maxAncestors, yielder, isVouchedFor);
  const tainted = await findTaintedAtStops(graph, ancestry, marks, yielder);
  const counts = { handedIn: 1, members: graph.tasks.length };
  const report = await judge(graph, counts, uniqueness(task, exists), tainted, { policy, yielder });
  return report.status === 'complete' ? { ...report, facts: factsOf(graph, report.depth) } : report;
}

function isVouchedFor({ depth }: Task): boolean {
  return depth !== undefined;
}

/**
 * Examines the graph of the tasks of a workflow or of a bundle. Predecessors outside it are found through `external` and walked too, so
 * that a cycle through another workflow is found; without it they are unresolved. A task that is given twice counts once. More than
 * `maxTasks` are rejected without an examination.
 */
export async function examineWorkflow(
  tasks: readonly Task[],
  external: Ancestry = bundleAncestry([]),
  { policy = DEFAULT_DAG_POLICY, marks, yielder = createYielder(), stopsOutside = false }: Examination = {},
  maxTasks: number = MAX_BUNDLE_TASKS,
): Promise<DagReport> {
  const tooMany = sizeLimit(tasks, maxTasks);
  if (tooMany.length > 0) return unexamined(tasks, tooMany);
  const { distinct, duplicates } = await uniquenessAmong(tasks, yielder);
  const members = distinct.tasks.length;
  const counts = { handedIn: members, members };
  if (stopsOutside) {
    const graph = await walkAncestors(distinct, external, policy.maxAncestors, yielder, isVouchedFor);
    const taints = await findTaintedAtStops(graph, external, marks, yielder);
    // Tasks outside do not count towards the longest path.
    return judge({ ...graph, stops: [] }, counts, duplicates, taints, { policy, yielder });
  }
  const graph = await walkAncestors(distinct, external, policy.maxAncestors, yielder);
  return judge(graph, counts, duplicates, await findTainted(graph, marks, yielder), { policy, yielder });
}

/** Rule 1 was applied to the given tasks, rule 2 by the walk. */
async function judge(
  graph: TaskGraph,
  { handedIn, members }: { readonly handedIn: number; readonly members: number },
  duplicates: readonly DagViolation[],
  { tainted, taintsUnknown }: Taints,
  { policy, yielder }: { readonly policy: DagPolicy; readonly yielder: Yielder },
): Promise<DagReport> {
  const { order, circles } = await orderTasks(graph, yielder);
  const violations = [
    ...duplicates,
    ...(await timeOrder(graph, policy, yielder)),
    ...acyclicity(graph, circles),
    ...depthLimit(graph, policy),
    ...(await sameWorkflow(graph, policy, yielder)),
    ...(await approvedOnly(graph, policy, yielder)),
  ];
  const isWhole = circles.length === 0 && !graph.cut;
  return {
    status: statusOf(violations, graph.unresolved),
    violations,
    unresolved: graph.unresolved,
    visited: graph.tasks.length - handedIn,
    ...(await shapeOf(graph, members, isWhole ? order : undefined, yielder)),
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
