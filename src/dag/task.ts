// A task as the graph sees it: who stands where, when, after what. No signature, no content.

/** How strongly a task is backed: an unsigned object, a signed token, a recorded one. */
export type TaskLevel = 'L1' | 'L2' | 'L3';

/** The name of a task. Two workflows may have a task of the same `jti`. */
export interface TaskName {
  /** The workflow; empty for none. */
  readonly wid: string;
  /** Names the task inside its workflow; globally where it has none. */
  readonly jti: string;
}

/** One task. Every task that reaches this room was read strictly or is recorded; its strings are attacker-controlled. */
export interface Task extends TaskName {
  readonly iss: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** The `jti` of each predecessor, each once; empty for a root. */
  readonly pred: readonly string[];
  readonly level: TaskLevel;
  /** The key that signed; empty for none. */
  readonly kid: string;
  /** What the policy decided about the task; absent where no policy was asked. */
  readonly pol_decision?: string;
  /** Set for a compensation and for a human review: these may follow what was not approved. */
  readonly isRemedy?: true;
  /** Where it is recorded, the index of its entry. */
  readonly entry?: number;
  /** A second in which it is known to have been there: in which it was recorded, or as of which evidence is judged. */
  readonly knownAt?: number;
  /**
   * The number of tasks on the longest path that ends here, this one included. Only where the ledger vouches for all of
   * the task's past, see `ledger-facts.ts`.
   */
  readonly depth?: number;
  /** The workflow of each predecessor, in the order of `pred`, where it is recorded. Absent: each is found by its name. */
  readonly predWids?: readonly string[];
  /** What was done, for drawings. */
  readonly exec_act?: string;
  /** What tells two tokens for one task apart, where both may be at hand. */
  readonly identity?: string;
}

/** The name alone. */
export function nameOf({ wid, jti }: TaskName): TaskName {
  return { wid, jti };
}

/** Inside which workflow the name of the predecessor number `nth` is to be found. */
export function contextOf({ wid, predWids }: Task, nth: number): string {
  return predWids?.[nth] ?? wid;
}

/** Whether two tasks under one name are one and the same: all that this room knows of them is equal. */
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
 * How well a task fits a `jti` that was named inside the workflow `wid`: 0 same workflow, 1 without workflow, 2 any
 * other. The smallest wins. The last exists so that a link across workflows is found and rejected, not called missing.
 */
export function distanceTo(task: Task, wid: string): 0 | 1 | 2 {
  if (task.wid === wid) return 0;
  return task.wid === '' ? 1 : 2;
}
