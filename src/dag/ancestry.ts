// Port: finds tasks by the names that other tasks use, with two implementations without a ledger.

import { distanceTo, type Task } from './task.ts';
import { indexTasks } from './task-index.ts';

/**
 * Finds tasks.
 *
 * `find` returns the tasks that `jtis` mean inside the workflow `wid` (empty: none), keyed by `jti`. If several share a `jti`: the one of
 * the same workflow, else the one without a workflow, else any other, always the same one. An unknown name is left out, which is not an
 * error. Every returned task was verified or is recorded. Cost: one call for each level of a walk and each workflow on it, with at most
 * some 300 distinct names; a level with more takes several. Errors: EctError of the storage, unchanged; nothing is retried here.
 */
export interface Ancestry {
  find(jtis: readonly string[], wid: string): Promise<ReadonlyMap<string, Task>>;
}

/** Tasks in the request. The caller of this function has verified each. */
export function bundleAncestry(tasks: readonly Task[]): Ancestry {
  const index = indexTasks(tasks);
  return {
    async find(jtis, wid) {
      const found = new Map<string, Task>();
      for (const jti of jtis) {
        const position = index.find(jti, wid);
        if (position !== undefined) found.set(jti, index.tasks[position]!);
      }
      return found;
    },
  };
}

/**
 * Combines several sources. The better fit wins, and the earlier source if both fit alike: put the ledger first, so that a recorded task
 * wins over another one with its name in the request. A later source is only used for names that the earlier ones do not have in the
 * workflow itself.
 */
export function combine(...ancestries: readonly Ancestry[]): Ancestry {
  return {
    async find(jtis, wid) {
      const best = new Map<string, Task>();
      let open = jtis;
      for (const ancestry of ancestries) {
        if (open.length === 0) break;
        const found = await ancestry.find(open, wid);
        for (const jti of open) {
          const task = found.get(jti);
          const rival = best.get(jti);
          if (task === undefined) continue;
          if (rival === undefined || distanceTo(task, wid) < distanceTo(rival, wid)) best.set(jti, task);
        }
        open = open.filter((jti) => best.get(jti)?.wid !== wid);
      }
      return best;
    },
  };
}
