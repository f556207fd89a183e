// ValidateDAG: the ancestors of one token, a recorded workflow, or a bundle of tokens. An invalid graph is a verdict, not an error.

import {
  createYielder,
  type Ending,
  nextSlice,
  STEPS_PER_DECISION,
  STEPS_PER_TOKEN,
  throwIfEnded,
  type Yielder,
} from '../concurrency/yielder.ts';
import { bundleAncestry, type DagReport, examineWorkflow, MAX_WORKFLOW_TASKS, type Task } from '../dag/index.ts';
import { EctError, type Rejection, reject } from '../errors.ts';
import { ancestryWith, ledgerAncestry, readAsTask } from './ancestry.ts';
import type { AuthorityContext } from './context.ts';
import { dagPolicy, examineGraph } from './graph.ts';
import { demandIntact } from './intact-records.ts';
import { asLabelledTask, asTask, isTaskScope } from './leaf.ts';
import { ledgerMarks } from './mark-book.ts';
import { NO_WORKFLOW } from './read-permission.ts';
import { Slots } from './slots.ts';

/** Whether the ancestors in a workflow may be shown. If not, a report ends at tasks whose ancestors the ledger has checked. */
type MaySeeWorkflow = (wid: string) => Promise<boolean>;

interface WorkflowSubject {
  readonly wid: string;
  /** Workflows that may not be read look like missing ones. */
  readonly isHidden?: boolean;
  /** Whether another workflow that this one follows may be read. Undefined: all may. */
  readonly maySeeWorkflow?: MaySeeWorkflow | undefined;
}

/** The graph to validate. */
export type DagSubject =
  | {
      readonly kind: 'token';
      readonly token: string;
      readonly predecessors: readonly string[];
      /** Undefined: all of them. */
      readonly maySeeWorkflow?: MaySeeWorkflow | undefined;
    }
  | ({ readonly kind: 'workflow' } & WorkflowSubject)
  | { readonly kind: 'bundle'; readonly tokens: readonly string[] };

/** The state of a graph, or why a token of the request cannot be part of one. */
export type DagAnswer = { readonly report: DagReport } | { readonly rejection: Rejection };

/** Validates a graph. `labels` requests the `exec_act` of every task, for a drawing, which needs more reads. */
export async function validateDag(
  context: AuthorityContext,
  subject: DagSubject,
  deadline: Ending,
  { labels = false }: { readonly labels?: boolean } = {},
): Promise<DagAnswer> {
  // The tokens of the request are verified with the same marks as the graph.
  if (subject.kind !== 'workflow') await ledgerMarks(context).current();
  switch (subject.kind) {
    case 'token':
      return validateToken(context, subject, deadline);
    case 'workflow':
      return { report: (await readWorkflow(context, subject, deadline, labels)).report };
    case 'bundle':
      return validateBundle(context, subject.tokens, deadline);
  }
}

async function validateToken(
  context: AuthorityContext,
  { token, predecessors, maySeeWorkflow }: Extract<DagSubject, { readonly kind: 'token' }>,
  deadline: Ending,
): Promise<DagAnswer> {
  const read = await readAsTask(context, token);
  if ('reason' in read) return { rejection: read };
  const ancestry = await ancestryWith(context, predecessors, deadline, {
    checked: true,
    mayFollow: maySeeWorkflow && ((record) => maySeeWorkflow(record?.scope ?? NO_WORKFLOW)),
  });
  if ('reason' in ancestry) return { rejection: ancestry };
  const { claims, kid, digest } = read.token;
  const subject = { claims, kid, digest, namesake: await context.ledger.find(claims.wid, claims.jti) };
  const examine = (extent: 'links' | 'all') => examineGraph(context, subject, ancestry, { extent, deadline });
  if (maySeeWorkflow === undefined) return { report: await examine('all') };
  const whole = (await maySeeWorkflow(claims.wid)) ? await examine('all') : undefined;
  const isShown = whole !== undefined && (await maySeePast(whole, claims.wid, maySeeWorkflow));
  return { report: isShown ? whole : await examine('links') };
}

/** How many other workflows are checked; if the ancestors are in more, they are not shown. */
const MAX_OTHER_WORKFLOWS = 16;

/** Whether every workflow besides `own` that the graph contains may be read. */
async function maySeePast({ graph }: DagReport, own: string, maySeeWorkflow: MaySeeWorkflow): Promise<boolean> {
  const others = new Set<string>();
  for (const { wid } of graph.tasks) if (wid !== own) others.add(wid);
  if (others.size > MAX_OTHER_WORKFLOWS) return false;
  const yielder = createYielder();
  for (const wid of others) {
    if (yielder.step(STEPS_PER_DECISION)) await yielder.yield();
    if (!(await maySeeWorkflow(wid))) return false;
  }
  return true;
}

async function validateBundle(
  context: AuthorityContext,
  tokens: readonly string[],
  deadline: Ending,
): Promise<DagAnswer> {
  const tasks: Task[] = [];
  const yielder = createYielder(deadline);
  for (const [position, token] of tokens.entries()) {
    if (yielder.step(STEPS_PER_TOKEN)) await yielder.yield();
    const read = await readAsTask(context, token);
    if ('reason' in read) {
      return { rejection: { ...read, message: `Token ${position} of the bundle is rejected: ${read.message}` } };
    }
    const identity = Buffer.from(read.token.digest).toString('base64url');
    tasks.push({ ...read.task, identity });
  }
  // A bundle is validated without the ledger, except for marks: what is compromised is compromised everywhere.
  return { report: await examineWorkflow(tasks, bundleAncestry([]), examinationIn(context, yielder)) };
}

/** A workflow with more tasks is large: it needs up to 80 MB while it is examined, so a process examines two at a time. */
const LARGE_TASKS = 1_000;
const LARGE = new Slots(2);

/** How many records are read in one turn of the event loop: a millisecond or two of work. */
const RECORDS_PER_SLICE = 100;

/** The recorded tasks of a workflow, at most one more than can be examined. */
export interface RecordedWorkflow {
  /** Their graph. */
  readonly report: DagReport;
  readonly tasks: number;
  /** When the first and the last of them were recorded, in milliseconds. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** The graph of the recorded tasks of a workflow, and what the ledger knows about it. WORKFLOW_NOT_FOUND if there are none. */
export async function readWorkflow(
  context: AuthorityContext,
  { wid, isHidden = false, maySeeWorkflow }: WorkflowSubject,
  deadline: Ending,
  labels = false,
): Promise<RecordedWorkflow> {
  if (!isTaskScope(wid))
    throw new EctError(reject('WORKFLOW_NOT_FOUND', 'Marks and keys belong to no workflow.', { wid }));
  const tasks: Task[] = [];
  let [firstMs, lastMs] = [Number.NaN, Number.NaN];
  let leave: (() => void) | undefined;
  try {
    // A workflow that may not be read is searched under an unused name, so that it takes the same steps as a missing one.
    for await (const records of readRecords(context, isHidden ? NO_WORKFLOW : wid, deadline, labels)) {
      if (tasks.length === 0) firstMs = records[0]?.recordedAtMs ?? firstMs;
      lastMs = records.at(-1)?.recordedAtMs ?? lastMs;
      tasks.push(...records.map(labels ? asLabelledTask : asTask));
      if (tasks.length > LARGE_TASKS) leave ??= await LARGE.enter(deadline);
    }
    if (tasks.length === 0) {
      throw new EctError(reject('WORKFLOW_NOT_FOUND', 'The ledger has no task of this workflow.', { wid }));
    }
    const examine = (stopsOutside: boolean) => {
      const examination = { ...examinationIn(context, createYielder(deadline)), stopsOutside };
      return examineWorkflow(tasks, ledgerAncestry(context.ledger, { checked: true }), examination, MAX_WORKFLOW_TASKS);
    };
    const whole = await examine(false);
    const isShown = maySeeWorkflow === undefined || (await maySeePast(whole, wid, maySeeWorkflow));
    return { report: isShown ? whole : await examine(true), tasks: tasks.length, firstMs, lastMs };
  } finally {
    leave?.();
  }
}

/** Pages of the tasks of a workflow. One task more than can be examined is read, so that a larger workflow is rejected, not cut. */
async function* readRecords({ ledger }: AuthorityContext, scope: string, deadline: Ending, labels: boolean) {
  let startIndex = 0;
  for (let left = MAX_WORKFLOW_TASKS + 1; left > 0; ) {
    const limit = Math.min(RECORDS_PER_SLICE, left);
    const records = await ledger.list({ scope, startIndex, limit, withContent: labels });
    await demandIntact(ledger, records, deadline);
    yield records;
    const last = records.at(-1);
    if (last === undefined || records.length < limit) return;
    startIndex = last.index + 1;
    left -= records.length;
    await nextSlice();
    throwIfEnded(deadline.signal);
  }
}

function examinationIn(context: AuthorityContext, yielder: Yielder) {
  return { policy: dagPolicy(context.policy.graph), marks: ledgerMarks(context), yielder };
}
