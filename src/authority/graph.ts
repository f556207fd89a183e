// Examines the graph behind one task, with everything that is known.

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

/** A task to examine, and the record under its `wid` and `jti`. */
export interface GraphSubject extends TokenSubject {
  /** The digest of its token, if there is one: another recorded token makes it a duplicate. */
  readonly digest: Uint8Array | undefined;
  readonly namesake: LedgerRecord | undefined;
  /** Evidence: the second as of which it is examined. */
  readonly asOf?: number | undefined;
}

/** How much is examined, and under which deadline. */
export interface GraphScope {
  /** `links`: the task, its predecessors, and ancestors that the ledger has not checked. `all`: every ancestor. */
  readonly extent: 'links' | 'all';
  readonly deadline: Ending;
  /** Whether the task is about to be recorded, so that it counts as L3. */
  readonly toBeRecorded?: boolean;
}

/** The rules, with the settings of the operator. */
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

/** Whether a task may be recorded; `exists`: another token is recorded under its name. Taints are not searched for. */
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

/** As evidence the task counts as recorded by then, even if it was recorded later. */
function knownBy(task: Task, asOf: number): Task {
  return { ...task, knownAt: Math.min(task.knownAt ?? asOf, asOf) };
}

/** A recorded task keeps the predecessors that it had when it was recorded, whichever tasks got their names later. */
function asRecorded(record: LedgerRecord, task: Task): Task {
  const { predWids, knownAt } = asTask(record);
  return { ...task, ...(predWids === undefined ? {} : { predWids }), ...(knownAt === undefined ? {} : { knownAt }) };
}
