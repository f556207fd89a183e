// The level of a whole path: that of its weakest task.

import type { TaskLevel } from './task.ts';
import type { TaskGraph } from './walk.ts';

/** The lowest level in a graph. Undefined if a task of it is unknown. */
export function pathLevelOf({ tasks, unresolved, cut }: TaskGraph): TaskLevel | undefined {
  if (cut || unresolved.length > 0) return undefined;
  let lowest: TaskLevel = 'L3';
  for (const { level } of tasks) if (level < lowest) lowest = level;
  return lowest;
}
