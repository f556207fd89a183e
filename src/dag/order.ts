// Sorts the tasks of a graph so that predecessors come first, and finds cycles.

import type { Yielder } from '../concurrency/yielder.ts';
import type { TaskGraph } from './walk.ts';

export interface TaskOrder {
  /** Positions of all tasks, each after its predecessors; inside a cycle in any order. */
  readonly order: Int32Array;
  /** Each maximal set of tasks that all lead to one another: positions, ascending. A task that is its own predecessor is one. */
  readonly circles: readonly (readonly number[])[];
}

/** Strongly connected components after Tarjan, with explicit stacks: a chain of any length needs no call stack. */
export async function orderTasks(graph: TaskGraph, yielder: Yielder): Promise<TaskOrder> {
  const { offsets, targets } = graph;
  const count = graph.tasks.length;
  const order = new Int32Array(count);
  const circles: number[][] = [];
  const cursor = offsets.slice(0, count);
  // When a task was visited, from 1; 0: not yet. `low` is the earliest task that it leads back to.
  const met = new Int32Array(count);
  const low = new Int32Array(count);
  const isOpen = new Uint8Array(count);
  const namesItself = new Uint8Array(count);
  const path: number[] = [];
  const open: number[] = [];
  let clock = 0;
  let ordered = 0;

  function enter(task: number): void {
    met[task] = low[task] = ++clock;
    isOpen[task] = 1;
    path.push(task);
    open.push(task);
  }

  function leave(task: number): void {
    path.pop();
    const parent = path.at(-1);
    if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[task]!);
    if (low[task] !== met[task]) return;
    const component = open.splice(open.lastIndexOf(task));
    for (const member of component) {
      isOpen[member] = 0;
      order[ordered++] = member;
    }
    if (component.length > 1 || namesItself[task]) circles.push(component.sort((a, b) => a - b));
  }

  for (let root = 0; root < count; root++) {
    if (met[root] === 0) enter(root);
    while (path.length > 0) {
      if (yielder.step()) await yielder.yield();
      const task = path.at(-1)!;
      if (cursor[task] === offsets[task + 1]) {
        leave(task);
        continue;
      }
      const target = targets[cursor[task]!++]!;
      if (target === task) namesItself[task] = 1;
      if (target < 0) continue;
      if (met[target] === 0) enter(target);
      else if (isOpen[target]) low[task] = Math.min(low[task]!, met[target]!);
    }
  }
  return { order, circles: circles.sort(([a], [b]) => a! - b!) };
}
