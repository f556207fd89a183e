// What an examination of a graph answers, and how an answer becomes a rejection.

import { type ErrorReason, type Rejection, reject } from '../errors.ts';
import type { LedgerFacts } from './ledger-facts.ts';
import type { Taint } from './taint.ts';
import type { TaskLevel, TaskName } from './task.ts';
import type { TaskGraph } from './walk.ts';

export type DagReason = Extract<ErrorReason, `DAG_${string}`>;

/** One broken rule. A predecessor that is missing is no violation: it makes the graph partial. */
export interface DagViolation {
  readonly reason: Exclude<DagReason, 'DAG_PREDECESSOR_MISSING'>;
  /** For people; names a handful of tasks at most. */
  readonly message: string;
  /** Each task concerned, the offending one first. */
  readonly tasks: readonly TaskName[];
}

/** All lists together are linear in what was examined. */
export interface DagReport {
  /** `complete`: every predecessor was found and every rule holds. `invalid` wins over `partial`. */
  readonly status: 'complete' | 'partial' | 'invalid';
  /** Every broken rule, in the order of the rules; one entry a rule and task, or a rule and circle. */
  readonly violations: readonly DagViolation[];
  /** Each predecessor that was found nowhere, in the workflow inside which it is named. */
  readonly unresolved: readonly TaskName[];
  /** How many ancestors were met outside the tasks that were handed in. At most the limit. */
  readonly visited: number;
  /** Number of tasks: of a task and the ancestors that were met, or of a workflow without what it follows outside. */
  readonly size: number;
  /** Tasks on the longest path, including the past of recorded tasks. 0 if a cycle or the limit leaves it unknown. */
  readonly depth: number;
  /** Each of these without predecessors. */
  readonly roots: readonly TaskName[];
  /** Each of these that no other task follows. */
  readonly leaves: readonly TaskName[];
  /** The lowest level of all tasks that were met; undefined where one of them is not known. */
  readonly pathLevel: TaskLevel | undefined;
  /** Each task that was met and must be reviewed, because of itself, its key or an ancestor. A taint breaks no rule. */
  readonly tainted: readonly Taint[];
  /** Whether something was marked, and the past was too large to tell whether it is in it. */
  readonly taintsUnknown: boolean;
  /** For one task whose links were examined, with a complete graph: what is written down when it is recorded. */
  readonly facts: LedgerFacts | undefined;
  /** The tasks and links themselves, for drawings. */
  readonly graph: TaskGraph;
}

/** The first broken rule as a rejection. With `complete`, a missing predecessor is rejected as well. */
export function rejectionOf(
  report: DagReport,
  demand: { readonly complete: boolean },
): Rejection<DagReason> | undefined {
  const [first] = report.violations;
  if (first !== undefined) return reject(first.reason, first.message, violationMetadata(first));
  const [missing] = report.unresolved;
  if (!demand.complete || missing === undefined) return undefined;
  const message = `Not found among the predecessors: ${nameSome(report.unresolved)}.`;
  return reject('DAG_PREDECESSOR_MISSING', message, { pred: missing.jti });
}

/** The facts that go with a broken rule: the `jti` of the offending task. */
export function violationMetadata({ tasks }: DagViolation): { readonly jti: string } {
  return { jti: tasks[0]!.jti };
}

const NAMED_AT_MOST = 5;

/** Names the first few and counts the rest: a message never grows with the graph. */
export function nameSome(tasks: readonly TaskName[]): string {
  const named = tasks
    .slice(0, NAMED_AT_MOST)
    .map(({ jti }) => jti)
    .join(', ');
  return tasks.length > NAMED_AT_MOST ? `${named} and ${tasks.length - NAMED_AT_MOST} more` : named;
}
