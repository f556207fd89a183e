// The rules of the graph, in order. Each is a function from the graph to its violations.
// The rules about a link apply to every walked link, not only to those of the examined task: predecessors in the request were never
// examined before, and a graph is only complete if all of it is sound.

import type { Yielder } from '../concurrency/yielder.ts';
import type { DagPolicy } from './limits.ts';
import { type DagViolation, nameSome } from './report.ts';
import { nameOf, sameTask, type Task, type TaskName } from './task.ts';
import { indexTasks, type TaskIndex } from './task-index.ts';
import type { TaskGraph } from './walk.ts';

/** The cost of finding a task in an index, in steps. */
const STEPS_PER_TASK = 5;

/** Rule 1, for one task: its name is new in its workflow. */
export function uniqueness(task: Task, exists: boolean): readonly DagViolation[] {
  return exists ? [duplicate(task)] : [];
}

/** Rule 1, for many tasks: no two different tasks have one name. A copy of a task is no violation. */
export async function uniquenessAmong(
  tasks: readonly Task[],
  yielder: Yielder,
): Promise<{ readonly distinct: TaskIndex; readonly duplicates: readonly DagViolation[] }> {
  const index = indexTasks();
  const taken = new Set<Task>();
  for (const task of tasks) {
    if (yielder.step(STEPS_PER_TASK)) await yielder.yield();
    const first = index.tasks[index.add(task)]!;
    if (!sameTask(first, task)) taken.add(first);
  }
  return { distinct: index, duplicates: [...taken].map(duplicate) };
}

function duplicate(task: Task): DagViolation {
  const where = task.wid === '' ? 'among the tasks without workflow' : `in workflow ${task.wid}`;
  return {
    reason: 'DAG_DUPLICATE_TASK',
    message: `Another task already has the name ${task.jti} ${where}.`,
    tasks: [nameOf(task)],
  };
}

/** Rule 3: no predecessor was issued later than its successor, except for the clock skew. */
export function timeOrder(graph: TaskGraph, policy: DagPolicy, yielder: Yielder): Promise<readonly DagViolation[]> {
  const skew = policy.clockSkewSeconds;
  return examineLinks(graph, yielder, {
    isBroken: (task, pred) => pred.iat > task.iat + skew,
    violation: (task, preds) => ({
      reason: 'DAG_TIME_ORDER',
      message: `Task ${task.jti} was issued more than ${skew} s before its predecessors ${nameSome(preds)}.`,
      tasks: [nameOf(task), ...preds],
    }),
  });
}

/** Rule 4, first half: no task is among its own ancestors. */
export function acyclicity(graph: TaskGraph, circles: readonly (readonly number[])[]): readonly DagViolation[] {
  return circles.map((circle) => {
    const tasks = circle.map((position) => nameOf(graph.tasks[position]!));
    const message =
      tasks.length === 1
        ? `Task ${tasks[0]!.jti} names itself.`
        : `These tasks are their own ancestors: ${nameSome(tasks)}.`;
    return { reason: 'DAG_CYCLE', message, tasks };
  });
}

/** Rule 4, second half: the graph ends within the limit. Names the given task (of many, the first). */
export function depthLimit(graph: TaskGraph, policy: DagPolicy): readonly DagViolation[] {
  if (!graph.cut) return [];
  const message = `There are more than ${policy.maxAncestors} ancestors; the rest was not examined.`;
  return [{ reason: 'DAG_TOO_DEEP', message, tasks: [nameOf(graph.tasks[0]!)] }];
}

/** Rule 4 for many tasks: they can be examined together. Names the first task beyond the limit. */
export function sizeLimit(tasks: readonly Task[], maxTasks: number): readonly DagViolation[] {
  if (tasks.length <= maxTasks) return [];
  const message = `There are more than ${maxTasks} tasks, which is the most that can be examined together.`;
  return [{ reason: 'DAG_TOO_DEEP', message, tasks: [nameOf(tasks[maxTasks]!)] }];
}

/** Rule 5: a predecessor with a workflow is of the same workflow, for a task that has one. */
export async function sameWorkflow(
  graph: TaskGraph,
  policy: DagPolicy,
  yielder: Yielder,
): Promise<readonly DagViolation[]> {
  if (policy.linksAcrossWorkflows) return [];
  return examineLinks(graph, yielder, {
    isBroken: (task, pred) => task.wid !== '' && pred.wid !== '' && pred.wid !== task.wid,
    violation: (task, preds) => ({
      reason: 'DAG_WORKFLOW_MISMATCH',
      message: `Task ${task.jti} of workflow ${task.wid} follows tasks of other workflows: ${nameSome(preds)}.`,
      tasks: [nameOf(task), ...preds],
    }),
  });
}

/** Rule 6: only a compensation or a human review follows a task that was not approved. */
export async function approvedOnly(
  graph: TaskGraph,
  policy: DagPolicy,
  yielder: Yielder,
): Promise<readonly DagViolation[]> {
  if (!policy.predecessorPolicy) return [];
  return examineLinks(graph, yielder, {
    isBroken: (task, { pol_decision: decision }) =>
      decision !== undefined && decision !== 'approved' && task.isRemedy === undefined,
    violation: (task, preds) => ({
      reason: 'DAG_PREDECESSOR_NOT_APPROVED',
      message: `Task ${task.jti} is no compensation and no review, and follows tasks that are not approved: ${nameSome(preds)}.`,
      tasks: [nameOf(task), ...preds],
    }),
  });
}

interface LinkRule {
  isBroken(task: Task, pred: Task): boolean;
  /** `preds` are the predecessors with violating links. */
  violation(task: Task, preds: readonly TaskName[]): DagViolation;
}

async function examineLinks(graph: TaskGraph, yielder: Yielder, rule: LinkRule): Promise<readonly DagViolation[]> {
  const violations: DagViolation[] = [];
  for (const [at, task] of graph.tasks.entries()) {
    const broken: TaskName[] = [];
    for (let link = graph.offsets[at]!; link < graph.offsets[at + 1]!; link++) {
      if (yielder.step()) await yielder.yield();
      const target = graph.targets[link]!;
      if (target < 0) continue;
      const pred = graph.tasks[target]!;
      if (rule.isBroken(task, pred)) broken.push(nameOf(pred));
    }
    if (broken.length > 0) violations.push(rule.violation(task, broken));
  }
  return violations;
}
