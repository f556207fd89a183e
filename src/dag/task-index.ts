// An index of tasks: which task a `jti` means inside a workflow.

import type { Task } from './task.ts';

/** Tasks in the order in which they were added, found by name. */
export interface TaskIndex {
  readonly tasks: readonly Task[];
  /** Adds a task and returns its position; if `wid` and `jti` exist, returns the position of the first. */
  add(task: Task): number;
  /** Positions by `jti` of the tasks of exactly this workflow. */
  workflow(wid: string): ReadonlyMap<string, number>;
  /**
   * The best fit for `jti` named inside `wid`: same workflow, else without a workflow, else the first of any other. With `among`, only of
   * the first so many tasks.
   */
  find(jti: string, wid: string, among?: number): number | undefined;
}

const NOTHING: ReadonlyMap<string, number> = new Map();

/** An index of `initial`, in that order; more can be added. For a few thousand at most, because it is built in one step. */
export function indexTasks(initial: readonly Task[] = []): TaskIndex {
  const tasks: Task[] = [];
  const byWorkflow = new Map<string, Map<string, number>>();
  const firstOfAny = new Map<string, number>();

  function add(task: Task): number {
    const names = byWorkflow.get(task.wid) ?? new Map<string, number>();
    byWorkflow.set(task.wid, names);
    const taken = names.get(task.jti);
    if (taken !== undefined) return taken;
    const position = tasks.push(task) - 1;
    names.set(task.jti, position);
    if (!firstOfAny.has(task.jti)) firstOfAny.set(task.jti, position);
    return position;
  }

  function workflow(wid: string): ReadonlyMap<string, number> {
    return byWorkflow.get(wid) ?? NOTHING;
  }

  function find(jti: string, wid: string, among = tasks.length): number | undefined {
    const within = (position: number | undefined) =>
      position === undefined || position < among ? position : undefined;
    return within(workflow(wid).get(jti)) ?? within(workflow('').get(jti)) ?? within(firstOfAny.get(jti));
  }

  for (const task of initial) add(task);
  return { tasks, add, workflow, find };
}
