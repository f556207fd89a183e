// What the ledger vouches for, so that the past of a workflow is not walked again for each task that is appended to it.
//
// A recorded task is settled where its whole past lies in its own workflow and was complete when it was recorded. Every
// link in that past names a task by `wid` and `jti`, which the ledger holds once and for ever; so no later task can come
// into it, and it needs no second look. A link that leads out of the workflow may mean another task later: it settles nothing.

import type { TaskGraph } from './walk.ts';

/**
 * At most how many ancestors the first task of the graph has. Where the walk stopped at settled tasks, it counts what
 * these vouch for; what two of them share is counted twice.
 */
export function ancestorsAtMost({ tasks, stops }: TaskGraph): number {
  let most = tasks.length - 1;
  for (const position of stops) most += tasks[position]!.settled!;
  return most;
}

/** The same, where the first task is settled once it is recorded; undefined where it is not. For complete graphs. */
export function settledBy(graph: TaskGraph): number | undefined {
  const [own, ...ancestors] = graph.tasks;
  return ancestors.every(({ wid }) => wid === own?.wid) ? ancestorsAtMost(graph) : undefined;
}
