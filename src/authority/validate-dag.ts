// ValidateDAG: the ancestors of one token, a recorded workflow, or a bundle of tokens. A bad graph is an answer.

import { setImmediate as rest } from 'node:timers/promises';
import { bundleAncestry, type DagReport, examineWorkflow, MAX_WORKFLOW_TASKS, type Task } from '../dag/index.ts';
import { EctError, type Refusal, refuse } from '../errors.ts';
import { ancestryWith, ledgerAncestry, verifyRecord } from './ancestry.ts';
import { dagPolicy, examineGraph } from './graph.ts';
import { asLabelledTask, isTaskScope } from './leaf.ts';
import { ledgerMarks } from './marks.ts';
import type { AuthorityParts } from './parts.ts';
import { taskOf } from './task.ts';

/** Which graph. */
export type DagSubject =
  | { readonly kind: 'token'; readonly token: string; readonly predecessors: readonly string[] }
  | { readonly kind: 'workflow'; readonly wid: string }
  | { readonly kind: 'bundle'; readonly tokens: readonly string[] };

/** The state of a graph, or why a token that was handed in cannot be part of one. */
export type DagAnswer = { readonly report: DagReport } | { readonly refusal: Refusal };

/** Judges a graph. `labels` asks for `exec_act` on every task, for a drawing: more has to be read for it. */
export async function validateDag(
  parts: AuthorityParts,
  subject: DagSubject,
  { labels = false }: { readonly labels?: boolean } = {},
): Promise<DagAnswer> {
  switch (subject.kind) {
    case 'token':
      return validateToken(parts, subject.token, subject.predecessors);
    case 'workflow':
      return { report: await examineRecorded(parts, subject.wid, labels) };
    case 'bundle':
      return validateBundle(parts, subject.tokens);
  }
}

async function validateToken(
  parts: AuthorityParts,
  token: string,
  predecessors: readonly string[],
): Promise<DagAnswer> {
  const verified = verifyRecord(parts, token);
  if ('reason' in verified) return { refusal: verified };
  const ancestry = ancestryWith(parts, predecessors);
  if ('reason' in ancestry) return { refusal: ancestry };
  return { report: await examineGraph(parts, verified, ancestry) };
}

/** Tokens that are verified, or records that are read, in one turn of the event loop: some milliseconds of work. */
const SLICE = 50;
const RECORDS_PER_SLICE = 200;

async function validateBundle(parts: AuthorityParts, tokens: readonly string[]): Promise<DagAnswer> {
  const tasks: Task[] = [];
  for (const [position, token] of tokens.entries()) {
    const verified = verifyRecord(parts, token);
    if ('reason' in verified) {
      return { refusal: { ...verified, message: `Token ${position} of the bundle is refused: ${verified.message}` } };
    }
    const identity = Buffer.from(verified.digest).toString('base64url');
    tasks.push({ ...taskOf(verified, parts.policy.graph), identity });
    if (position % SLICE === SLICE - 1) await rest();
  }
  // Only marks are looked up in the ledger: a bundle is judged by itself, but what is compromised is so everywhere.
  return { report: await examineWorkflow(tasks, bundleAncestry([]), examinationIn(parts)) };
}

/** The graph that the recorded tasks of a workflow form. WORKFLOW_NOT_FOUND where there is none. */
export async function examineRecorded(parts: AuthorityParts, wid: string, labels = false): Promise<DagReport> {
  const tasks: Task[] = [];
  if (!isTaskScope(wid)) throw new EctError(refuse('WORKFLOW_NOT_FOUND', 'Marks and keys are no workflow.'));
  // One more than can be examined, so that a larger workflow is refused rather than cut.
  for (let startIndex = 0; tasks.length <= MAX_WORKFLOW_TASKS; ) {
    const query = { scope: wid, startIndex, limit: RECORDS_PER_SLICE, withContent: labels };
    const records = await parts.ledger.list(query);
    tasks.push(...records.map(asLabelledTask));
    const last = records.at(-1);
    if (last === undefined || records.length < RECORDS_PER_SLICE) break;
    startIndex = last.index + 1;
    await rest();
  }
  if (tasks.length === 0) {
    throw new EctError(refuse('WORKFLOW_NOT_FOUND', 'The ledger has no task of this workflow.'));
  }
  return examineWorkflow(tasks, ledgerAncestry(parts.ledger), examinationIn(parts));
}

function examinationIn({ policy, ledger }: AuthorityParts) {
  return { policy: dagPolicy(policy.graph), marks: ledgerMarks(ledger) };
}
