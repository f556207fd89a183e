// Port: where tasks are found by the names that other tasks give them. And two ways to make one without a ledger.

import { distanceTo, type Task } from './task.ts';
import { indexTasks } from './task-index.ts';

/**
 * A place to find tasks.
 *
 * `find` returns the tasks that `jtis` mean inside the workflow `wid` (empty: none), keyed by `jti`. Where several share
 * a `jti`: the one of the same workflow, else the one without workflow, else any other, always the same one. A name
 * that is not known is left out; that is no failure. Every task in the answer was verified or is recorded.
 * Cost: one call for each level of a walk and each workflow on it, with some 300 distinct names at most; a level with
 * more takes several.
 * Failures: EctError of the storage behind it, unchanged; nothing is retried here.
 */
export interface Ancestry {
  find(jtis: readonly string[], wid: string): Promise<ReadonlyMap<string, Task>>;
}

/** Tasks that came along in the call. The caller of this function has verified each. */
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
 * Several places as one. The better fit wins, and the earlier place where both fit alike: put the ledger first, so that
 * a recorded task stands against another one of the same name that was handed along. A later place is asked only for
 * what the earlier ones did not have in the workflow itself.
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
