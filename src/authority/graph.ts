// The graph behind one task, judged against everything that is known.

import {
  type Ancestry,
  type DagPolicy,
  type DagReport,
  DEFAULT_DAG_POLICY,
  examineNewTask,
  examineTask,
} from '../dag/index.ts';
import { ledgerMarks } from './marks.ts';
import type { AuthorityParts, GraphPolicy } from './parts.ts';
import { type TokenSubject, taskOf } from './task.ts';

/** A task to be judged. */
export interface GraphSubject extends TokenSubject {
  /** The digest of its token, once there is one: another token under its `wid` and `jti` makes it a duplicate. */
  readonly digest: Uint8Array | undefined;
}

/** The rules with what the operator decided about them. */
export function dagPolicy({ predecessorPolicy }: GraphPolicy): DagPolicy {
  return { ...DEFAULT_DAG_POLICY, predecessorPolicy };
}

/** Applies the rules of the graph to one task and all of its ancestors, and finds which of them are tainted. */
export async function examineGraph(
  parts: AuthorityParts,
  subject: GraphSubject,
  ancestry: Ancestry,
  intent: { readonly toBeRecorded?: boolean } = {},
): Promise<DagReport> {
  const { task, exists } = await place(parts, subject, intent.toBeRecorded === true);
  const examination = { policy: dagPolicy(parts.policy.graph), marks: ledgerMarks(parts.ledger) };
  return examineTask(task, ancestry, { exists }, examination);
}

/**
 * Whether a task may be recorded; `exists`: another token is recorded in its place. What the ledger vouches for is not
 * examined again, so the report answers that question and no other.
 */
export function examineForLedger(
  parts: AuthorityParts,
  subject: TokenSubject,
  ancestry: Ancestry,
  exists: boolean,
): Promise<DagReport> {
  const { graph } = parts.policy;
  return examineNewTask(taskOf(subject, graph, 'L3'), ancestry, { exists }, { policy: dagPolicy(graph) });
}

/** The task, and whether another one stands in its place. It is of level L3 where it is recorded, or is about to be. */
async function place({ ledger, policy }: AuthorityParts, subject: GraphSubject, toBeRecorded: boolean) {
  const { claims, digest } = subject;
  const namesake = await ledger.find(claims.wid, claims.jti);
  const isRecorded = namesake !== undefined && digest !== undefined && Buffer.compare(namesake.digest, digest) === 0;
  const level = isRecorded || toBeRecorded ? 'L3' : undefined;
  return { task: taskOf(subject, policy.graph, level), exists: namesake !== undefined && !isRecorded };
}
