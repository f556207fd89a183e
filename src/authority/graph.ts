// The graph behind one task, judged against everything that is known.

import { createYielder, type Ending } from '../concurrency/yielder.ts';
import {
  type Ancestry,
  type DagPolicy,
  type DagReport,
  DEFAULT_DAG_POLICY,
  examineLinks,
  examineTask,
  type Task,
} from '../dag/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import type { AuthorityContext, GraphPolicy } from './context.ts';
import { asTask } from './leaf.ts';
import { ledgerMarks } from './mark-book.ts';
import { type TokenSubject, taskOf } from './task.ts';

/** A task to be judged, and what is recorded under its `wid` and `jti`. */
export interface GraphSubject extends TokenSubject {
  /** The digest of its token, once there is one: another token in its place makes it a duplicate. */
  readonly digest: Uint8Array | undefined;
  readonly namesake: LedgerRecord | undefined;
  /** Evidence: the second as of which it is judged. */
  readonly asOf?: number | undefined;
}

/** How much is examined, and for how long. */
export interface GraphScope {
  /** `links`: the task and its predecessors, and what the ledger does not vouch for. `all`: every ancestor. */
  readonly extent: 'links' | 'all';
  readonly deadline: Ending;
  /** Whether the task is about to be recorded, so that it counts as L3. */
  readonly toBeRecorded?: boolean;
}

/** The rules with what the operator decided about them. */
export function dagPolicy({ predecessorPolicy }: GraphPolicy): DagPolicy {
  return { ...DEFAULT_DAG_POLICY, predecessorPolicy };
}

/** Applies the rules of the graph to one task and its ancestors, and finds which of them are tainted. */
export async function examineGraph(
  context: AuthorityContext,
  subject: GraphSubject,
  ancestry: Ancestry,
  { extent, deadline, toBeRecorded = false }: GraphScope,
): Promise<DagReport> {
  const { policy } = context;
  const { digest, namesake, asOf } = subject;
  const isRecorded = namesake !== undefined && digest !== undefined && Buffer.compare(namesake.digest, digest) === 0;
  const task = taskOf(subject, policy.graph, isRecorded || toBeRecorded ? 'L3' : undefined);
  const examination = {
    policy: dagPolicy(policy.graph),
    marks: ledgerMarks(context),
    yielder: createYielder(deadline),
  };
  const examine = extent === 'links' ? examineLinks : examineTask;
  const exists = namesake !== undefined && !isRecorded;
  const known = isRecorded ? asRecorded(namesake, task) : task;
  return examine(asOf === undefined ? known : knownBy(known, asOf), ancestry, { exists }, examination);
}

/** Whether a task may be recorded; `exists`: another token is recorded in its place. Taints are not looked for. */
export function examineForLedger(
  { policy }: AuthorityContext,
  subject: TokenSubject,
  ancestry: Ancestry,
  exists: boolean,
  deadline: Ending,
): Promise<DagReport> {
  const examination = { policy: dagPolicy(policy.graph), yielder: createYielder(deadline) };
  return examineLinks(taskOf(subject, policy.graph, 'L3'), ancestry, { exists }, examination);
}

/** Evidence says that the task was there by then, also where it was recorded later. */
function knownBy(task: Task, asOf: number): Task {
  return { ...task, knownAt: Math.min(task.knownAt ?? asOf, asOf) };
}

/** A recorded task follows those that it followed when it was recorded, whatever else has taken their names since. */
function asRecorded(record: LedgerRecord, task: Task): Task {
  const { predWids, knownAt } = asTask(record);
  return { ...task, ...(predWids === undefined ? {} : { predWids }), ...(knownAt === undefined ? {} : { knownAt }) };
}
