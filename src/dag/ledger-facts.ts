// What the ledger has checked about a task when it was recorded, so that its ancestors are not walked again.
// A recorded task names its predecessors: earlier entries, whose names the ledger never reuses. So its ancestry never changes, no later
// task becomes part of it, and it has no cycle. It is *settled*. Entries of older releases without links are settled if their links stay
// in their workflow, because such a name has one meaning forever; a link to another workflow may mean another task later.

import type { Task } from './task.ts';
import type { TaskGraph } from './walk.ts';

/** Recorded with a task, for its successors. */
export interface LedgerFacts {
  /** See Task. Undefined if the ledger has not checked it. */
  readonly depth: number | undefined;
  /** See Task. Undefined if all predecessors are in the workflow of the task. */
  readonly predWids: readonly string[] | undefined;
}

/** The facts of a task without predecessors. */
export const ROOT_FACTS: LedgerFacts = { depth: 1, predWids: undefined };

/** The facts of the first task of a complete graph, whose longest path has `depth` tasks. */
export function factsOf(graph: TaskGraph, depth: number): LedgerFacts {
  const [own] = graph.tasks;
  const wids = predecessors(graph, 0).map(({ wid }) => wid);
  const isInside = wids.every((wid) => wid === own?.wid);
  return {
    depth: graph.tasks.every((task, at) => at === 0 || isSettled(graph, task, at)) ? depth : undefined,
    predWids: isInside ? undefined : wids,
  };
}

/** Whether later entries cannot change the meaning of the links of a recorded task. */
function isSettled(graph: TaskGraph, { depth, predWids, wid }: Task, at: number): boolean {
  if (depth !== undefined || predWids !== undefined) return true;
  return predecessors(graph, at).every((pred) => pred.wid === wid);
}

function predecessors({ tasks, offsets, targets }: TaskGraph, at: number): readonly Task[] {
  return Array.from(targets.subarray(offsets[at], offsets[at + 1]), (target) => tasks[target]!);
}
