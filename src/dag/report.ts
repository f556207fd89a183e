// The report of an examination, and its rejection.

import { type ErrorReason, type Rejection, reject } from '../errors.ts';
import type { LedgerFacts } from './ledger-facts.ts';
import type { Taint } from './taint.ts';
import type { TaskLevel, TaskName } from './task.ts';
import type { TaskGraph } from './walk.ts';

export type DagReason = Extract<ErrorReason, `DAG_${string}`>;

/** A violation of a rule. A missing predecessor is no violation: it makes the graph partial. */
export interface DagViolation {
  readonly reason: Exclude<DagReason, 'DAG_PREDECESSOR_MISSING'>;
  /** For people; names only a few tasks. */
  readonly message: string;
  /** The tasks concerned, the violating one first. */
  readonly tasks: readonly TaskName[];
}

/** The size of all lists together is linear in the examined graph. */
export interface DagReport {
  /** `complete`: every predecessor was found and every rule holds. `invalid` wins over `partial`. */
  readonly status: 'complete' | 'partial' | 'invalid';
  /** Every violation, in the order of the rules; one for each rule and task, or rule and cycle. */
  readonly violations: readonly DagViolation[];
  /** Each missing predecessor, with the workflow in which it is named. */
  readonly unresolved: readonly TaskName[];
  /** The number of ancestors that were visited outside the given tasks. At most the limit. */
  readonly visited: number;
  /** The number of tasks: of a task and its visited ancestors, or of a workflow without predecessors outside. */
  readonly size: number;
  /** The length of the longest path, including ancestors that were not walked. 0 if a cycle or the limit leaves it unknown. */
  readonly depth: number;
  /** The tasks without predecessors. */
  readonly roots: readonly TaskName[];
  /** The tasks without successors. */
  readonly leaves: readonly TaskName[];
  /** The lowest level of all visited tasks; undefined if one of them is unknown. */
  readonly pathLevel: TaskLevel | undefined;
  /** The visited tasks that need a review, because of themselves, their key or an ancestor. A taint violates no rule. */
  readonly tainted: readonly Taint[];
  /** Whether there are marks, and too many ancestors to search for them. */
  readonly taintsUnknown: boolean;
  /** For one task whose links were examined, with a complete graph: what is recorded with it. */
  readonly facts: LedgerFacts | undefined;
  /** The tasks and links, for drawings. */
  readonly graph: TaskGraph;
}

/** The first violation as a rejection. With `complete`, a missing predecessor is rejected too. */
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

/** The metadata of a violation: the name of the violating task. */
export function violationMetadata({ tasks }: DagViolation): TaskMetadata {
  return namesOf(tasks[0]!);
}

type TaskMetadata = { readonly jti: string; readonly wid?: string };

/** The name of a task as metadata: `wid` is there where the task has a workflow. */
export function namesOf({ wid, jti }: TaskName): TaskMetadata {
  return wid === '' ? { jti } : { wid, jti };
}

const NAMED_AT_MOST = 5;

/** Names the first few and counts the rest, so that the size of a message is limited. */
export function nameSome(tasks: readonly TaskName[]): string {
  const named = tasks
    .slice(0, NAMED_AT_MOST)
    .map(({ jti }) => jti)
    .join(', ');
  return tasks.length > NAMED_AT_MOST ? `${named} and ${tasks.length - NAMED_AT_MOST} more` : named;
}
