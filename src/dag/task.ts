// A task of a graph: its name, time and predecessors, without signature and content.

/** The level of a task: an unsigned object, a signed token, a recorded one. */
export type TaskLevel = 'L1' | 'L2' | 'L3';

/** The name of a task. Two workflows may have a task of the same `jti`. */
export interface TaskName {
  /** The workflow; empty for none. */
  readonly wid: string;
  /** The name of the task inside its workflow; globally if it has none. */
  readonly jti: string;
}

/** One task. Every task in this room was parsed strictly or is recorded; its strings are attacker-controlled. */
export interface Task extends TaskName {
  readonly iss: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** The `jti` of each predecessor, each once; empty for a root. */
  readonly pred: readonly string[];
  readonly level: TaskLevel;
  /** The `kid` of its key; empty for none. */
  readonly kid: string;
  /** The policy decision about the task; absent if no policy was evaluated. */
  readonly pol_decision?: string;
  /** Set for a compensation and for a human review: these may follow a task that was not approved. */
  readonly isRemedy?: true;
  /** The index of its entry, if it is recorded. */
  readonly entry?: number;
  /** A second in which it is known to have existed: that of its entry, or that as of which evidence is verified. */
  readonly knownAt?: number;
  /**
   * The length of the longest path that ends here, including this task. Only if the ledger vouches for all its ancestors, see
   * `ledger-facts.ts`.
   */
  readonly depth?: number;
  /** The workflow of each predecessor, in the order of `pred`, if it is recorded. Absent: each is found by its name. */
  readonly predWids?: readonly string[];
  /** The action, for drawings. */
  readonly exec_act?: string;
  /** Distinguishes two tokens of one task, if both may be present. */
  readonly identity?: string;
}

/** The name alone. */
export function nameOf({ wid, jti }: TaskName): TaskName {
  return { wid, jti };
}

/** The workflow inside which predecessor number `nth` is named. */
export function contextOf({ wid, predWids }: Task, nth: number): string {
  return predWids?.[nth] ?? wid;
}

/** Whether two tasks with one name are the same: everything that this room knows of them is equal. */
export function sameTask(a: Task, b: Task): boolean {
  return (
    a.iss === b.iss &&
    a.iat === b.iat &&
    a.exec_act === b.exec_act &&
    a.identity === b.identity &&
    a.kid === b.kid &&
    a.pol_decision === b.pol_decision &&
    a.isRemedy === b.isRemedy &&
    a.pred.length === b.pred.length &&
    a.pred.every((jti, at) => jti === b.pred[at])
  );
}

/**
 * How well a task fits a `jti` that is named inside the workflow `wid`: 0 same workflow, 1 without a workflow, 2 any other. The smallest
 * wins. The last one exists so that a link across workflows is found and rejected, not reported as missing.
 */
export function distanceTo(task: Task, wid: string): 0 | 1 | 2 {
  if (task.wid === wid) return 0;
  return task.wid === '' ? 1 : 2;
}
