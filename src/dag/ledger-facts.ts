// What the ledger has checked about a task when it was recorded, so that its past is never walked again.
//
// A recorded task says which tasks its predecessors are: entries that stood before its own, under names that the ledger
// holds once and forever. So what leads back from it never changes, no task that is recorded later comes into it, and it
// has no circle. It is *settled*. What was recorded before links were written down is settled where its links stay inside
// its workflow, since such a name has one meaning forever; where one leads out, it may mean another task later.

import type { Task } from './task.ts';
import type { TaskGraph } from './walk.ts';

/** What is written down with a task when it is recorded, for those that will follow it. */
export interface LedgerFacts {
  /** See Task. Undefined if the ledger has not checked it. */
  readonly depth: number | undefined;
  /** See Task. Undefined where all predecessors are of the task's own workflow. */
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

/** Whether nothing recorded later can change where the links of a recorded task lead. */
function isSettled(graph: TaskGraph, { depth, predWids, wid }: Task, at: number): boolean {
  if (depth !== undefined || predWids !== undefined) return true;
  return predecessors(graph, at).every((pred) => pred.wid === wid);
}

function predecessors({ tasks, offsets, targets }: TaskGraph, at: number): readonly Task[] {
  return Array.from(targets.subarray(offsets[at], offsets[at + 1]), (target) => tasks[target]!);
}
