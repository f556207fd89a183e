// Dry runs: what Issue and AppendLedger would do, step by step, without effect. Every step that can run does.

import { type DagReport, rejectionOf } from '../dag/index.ts';
import { EctError, type Rejection } from '../errors.ts';
import type { CallDeadline } from '../keys/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import type { Failure, Outcome } from '../token/index.ts';
import { ancestryFor } from './ancestry.ts';
import { type Appended, answerKnown, demandEntry, findNamesake, verifyForLedger } from './append.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { isOf, secondOf } from './evidence.ts';
import { examineForLedger } from './graph.ts';
import {
  demandWrites,
  draftToken,
  examinePredecessors,
  type Issued,
  levelOnLeaving,
  namesTasks,
  signerFor,
} from './issue.ts';
import { draftClaims } from './issue-claims.ts';
import type { IssueInput } from './issue-input.ts';
import { type IssuePermit, permitIssue } from './permit-issue.ts';
import { closeVerdict, openVerdict, recordStep, type StepRule, VERIFY_STEPS, type Verdict } from './verdict.ts';
import { checkWriteQuota } from './write-reservation.ts';
import { entryBytes } from './write-sizes.ts';

/** Every step of Issue, in the order in which a call would be rejected. A dry run skips the last two. */
export const ISSUE_STEPS: readonly StepRule[] = [
  { name: 'caller', rule: 'The caller may issue tokens with this `iss`.' },
  { name: 'formats', rule: 'Every claim is valid.' },
  { name: 'key', rule: 'There is a key that signs for `iss`. None is needed for L1.' },
  { name: 'dag', rule: 'The rules of the graph hold for the task and its predecessors.' },
  { name: 'size', rule: 'The token is at most 16 KiB.' },
  { name: 'room', rule: 'The quota of the caller and the disk have room for what is stored.' },
  { name: 'signature', rule: 'The token is signed, unless it is of level L1.' },
  { name: 'record', rule: 'A token of level L3 is recorded.' },
];

/** Every step of Append. Quota and free space are checked before the token. */
export const APPEND_STEPS: readonly StepRule[] = [
  { name: 'room', rule: 'The quota of the caller and the disk have room for the entry.' },
  ...VERIFY_STEPS,
];

/** The result of a dry run of Issue. `outcomes` has one entry for each of ISSUE_STEPS. */
export interface IssueDryRun {
  /** The token that would be returned; undefined if none would. */
  readonly token: Pick<Issued, 'claims' | 'kid' | 'level'> | undefined;
  readonly dag: DagReport | undefined;
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly Failure[];
}

/** A dry run of Issue. The request id is ignored, because nothing is stored. */
export async function dryRunIssue(
  context: AuthorityContext,
  caller: Caller,
  input: IssueInput,
  deadline: CallDeadline,
): Promise<IssueDryRun> {
  const rows = new Rows(ISSUE_STEPS);
  const permitted = await attempt(() => permitIssue(context, caller, input));
  const permit = rows.record('caller', permitted) ?? {
    iss: input.iss,
    defaultTtlSeconds: context.policy.defaultTtlSeconds,
    policy: '',
  };
  const claims = rows.record('formats', await attempt(() => draftClaims(context, input, permit)));
  // If the caller may not use the name, its key is not requested.
  const chosen = isRejectionOf(permitted)
    ? undefined
    : rows.record('key', await attempt(() => choose(context, input, permit)));
  const kid = chosen?.signer?.jwk.kid ?? '';
  let dag: DagReport | undefined;
  if (claims === undefined) return { token: undefined, dag, ...rows.results() };
  // A caller that may not issue must not learn from a dry run what the ledger contains.
  const mayLook = !isRejectionOf(permitted) || permitted.reason !== 'NOT_AUTHORIZED' || context.authorizer?.isBuiltIn;
  if (mayLook && namesTasks(input)) {
    const { report, rejection } = await examinePredecessors(context, caller, input, claims, kid, deadline);
    rows.record('dag', rejection ?? report);
    if (input.pred.length > 0) dag = report;
  } else if (mayLook) rows.record('dag', claims);
  const draft = chosen && rows.record('size', await attempt(() => draftToken(context, input, claims, chosen.signer)));
  if (draft !== undefined) {
    rows.record('room', await attempt(() => demandWrites(context, caller, input, claims, draft.tokenBytes)));
  }
  const results = rows.results();
  const token = results.failures.length === 0 ? { claims, kid, level: levelOnLeaving(input) } : undefined;
  return { token, dag, ...results };
}

/** The key that would sign; undefined for L1. */
function choose(context: AuthorityContext, input: IssueInput, { iss }: IssuePermit) {
  return { signer: signerFor(context, input, iss) };
}

/** The verdict on a token as the ledger sees it, and its entry if it exists. */
export interface AppendDryRun {
  /** One for each of APPEND_STEPS. */
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly Failure[];
  /** The rejection of AppendLedger. */
  readonly rejection: Rejection | undefined;
  readonly verdict: Verdict;
  readonly known: Appended | undefined;
}

/** A dry run of AppendLedger. */
export async function dryRunAppend(
  context: AuthorityContext,
  caller: Caller,
  text: string,
  deadline: CallDeadline,
): Promise<AppendDryRun> {
  const least = await attempt(() => demandEntry(context, caller, text));
  const { verdict, known } = await dryRunEntry(context, caller, text, deadline);
  const isNew = known === undefined && verdict.rejection === undefined;
  const room = isNew ? await attempt(() => demandRoomFor(context, caller, text, verdict)) : least;
  const after = verdict.failures.map(({ step, rejection }) => ({ step: step + 1, rejection }));
  if (!isRejectionOf(room)) {
    return { outcomes: ['PASS', ...verdict.outcomes], failures: after, rejection: verdict.rejection, verdict, known };
  }
  // If there is no room, not even an existing entry is looked up.
  const failures = [{ step: 0, rejection: room }, ...after];
  return { outcomes: ['FAIL', ...verdict.outcomes], failures, rejection: room, verdict, known: undefined };
}

function demandRoomFor(context: AuthorityContext, caller: Caller, text: string, { token }: Verdict): void {
  const bytes = token === undefined ? 0 : entryBytes(text.length, token.claims);
  checkWriteQuota(context, { caller, use: 'ledger', bytes });
}

async function dryRunEntry(context: AuthorityContext, caller: Caller, text: string, deadline: CallDeadline) {
  const read = await verifyForLedger(context, text, 'report');
  // A report continues after its call has ended, so it does not show what the call would return.
  const { token: found, namesake } = await findNamesake(
    context,
    text,
    read.ok ? read : await verifyForLedger(context, text),
  );
  if (namesake !== undefined && isOf(namesake, found!)) {
    return { verdict: await verdictOnKnown(context, text, namesake), known: await answerKnown(context, namesake) };
  }
  const verdict = openVerdict(read);
  const { token } = verdict;
  if (token !== undefined) {
    const { wid, jti } = token.claims;
    const other = found === undefined ? await context.ledger.find(wid, jti) : namesake;
    const exists = other !== undefined && !isOf(other, token);
    verdict.dag = await examineForLedger(context, token, ancestryFor(context, caller), exists, deadline);
    recordStep(verdict, verdict.outcomes.length, rejectionOf(verdict.dag, { complete: true }));
  }
  return { verdict: closeVerdict(verdict, token?.level), known: undefined };
}

/**
 * For a token that is recorded already, verified as of the time of its recording. The call returns the entry even if its key or the
 * rules have changed since then: a step that would fail now is not a rejection.
 */
async function verdictOnKnown(context: AuthorityContext, text: string, record: LedgerRecord): Promise<Verdict> {
  const recordedAt = secondOf(record);
  const verdict = openVerdict(await verifyForLedger(context, text, 'report', { asOf: recordedAt, recordedAt }));
  verdict.outcomes = verdict.outcomes.map((outcome) => (outcome === 'FAIL' ? 'SKIPPED' : outcome));
  return closeVerdict({ ...verdict, rejection: undefined, failures: [] }, 'L3');
}

/** The outcomes of the steps of a procedure, by name. */
class Rows {
  readonly #steps: readonly StepRule[];
  readonly #outcomes: Outcome[];
  readonly #failures: Failure[] = [];

  constructor(steps: readonly StepRule[]) {
    this.#steps = steps;
    this.#outcomes = steps.map(() => 'SKIPPED');
  }

  /** Records the outcome of a step. Returns its result; undefined if it rejects. */
  record<T>(name: string, result: T | Rejection): T | undefined {
    const step = this.#steps.findIndex((rule) => rule.name === name);
    const isRejected = isRejectionOf(result);
    this.#outcomes[step] = isRejected ? 'FAIL' : 'PASS';
    if (!isRejected) return result;
    this.#failures.push({ step, rejection: result });
    return undefined;
  }

  results(): { readonly outcomes: readonly Outcome[]; readonly failures: readonly Failure[] } {
    return { outcomes: this.#outcomes, failures: this.#failures };
  }
}

/** The result of `run`, or the rejection that it throws. */
async function attempt<T>(run: () => T | Promise<T>): Promise<T | Rejection> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof EctError) return error.rejection;
    throw error;
  }
}

function isRejectionOf<T>(result: T | Rejection): result is Rejection {
  return typeof result === 'object' && result !== null && 'reason' in result;
}
