// The shape of a graph: its size, its longest path, its roots and leaves.

import type { Yielder } from '../concurrency/yielder.ts';
import type { DagReport } from './report.ts';
import { nameOf } from './task.ts';
import type { TaskGraph } from './walk.ts';

export type Shape = Pick<DagReport, 'size' | 'depth' | 'roots' | 'leaves'>;

/**
 * The shape of the first `members` tasks of a graph; the others only connect them. `order` has predecessors first, or is undefined if a
 * cycle or the limit leaves the longest path unknown.
 */
export async function shapeOf(
  graph: TaskGraph,
  members: number,
  order: Int32Array | undefined,
  yielder: Yielder,
): Promise<Shape> {
  const own = graph.tasks.slice(0, members);
  const followed = new Uint8Array(graph.tasks.length);
  for (let task = 0; task < graph.tasks.length; task++) {
    for (let link = graph.offsets[task]!; link < graph.offsets[task + 1]!; link++) {
      if (yielder.step()) await yielder.yield();
      const target = graph.targets[link]!;
      if (target >= 0 && target !== task) followed[target] = 1;
    }
  }
  return {
    size: members,
    depth: order === undefined ? 0 : await longestPath(graph, members, order, yielder),
    roots: own.filter((task) => task.pred.length === 0).map(nameOf),
    leaves: own.filter((_, at) => followed[at] === 0).map(nameOf),
  };
}

/** If the walk stopped at a task, the depth in the ledger continues the path. */
async function longestPath(graph: TaskGraph, members: number, order: Int32Array, yielder: Yielder): Promise<number> {
  const stops = new Set(graph.stops);
  const depths = new Int32Array(graph.tasks.length);
  let longest = 0;
  for (const task of order) {
    let before = 0;
    for (let link = graph.offsets[task]!; link < graph.offsets[task + 1]!; link++) {
      if (yielder.step()) await yielder.yield();
      const target = graph.targets[link]!;
      if (target >= 0) before = Math.max(before, depths[target]!);
    }
    depths[task] = stops.has(task) ? graph.tasks[task]!.depth! : before + (task < members ? 1 : 0);
    longest = Math.max(longest, depths[task]!);
  }
  return longest;
}
