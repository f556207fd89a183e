// Dry runs: what Issue and Append would do, step by step, without doing it. Every step that can be run is run.

import { type DagReport, refusalOf } from '../dag/index.ts';
import { EctError, type Refusal } from '../errors.ts';
import type { Until } from '../keys/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import type { Failure, Outcome } from '../token/index.ts';
import { ancestryFor } from './ancestry.ts';
import { type Appended, answerKnown, demandEntry, findNamesake, verifyForLedger } from './append.ts';
import type { Caller } from './caller.ts';
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
import type { IssueOrder } from './issue-order.ts';
import type { AuthorityParts } from './parts.ts';
import { type IssuePermit, permitIssue } from './permit-issue.ts';
import { closeVerdict, openVerdict, type StepRule, settleStep, VERIFY_STEPS, type Verdict } from './verdict.ts';
import { demandRoom } from './write-room.ts';
import { entryBytes } from './write-sizes.ts';

/** Every step of Issue, in the order in which a call would be refused. The last two are what a dry run leaves out. */
export const ISSUE_STEPS: readonly StepRule[] = [
  { name: 'caller', rule: 'The caller may issue in the name of `iss`.' },
  { name: 'formats', rule: 'Every claim keeps its own rule.' },
  { name: 'key', rule: 'A key that signs for `iss` is there. None is needed for L1.' },
  { name: 'dag', rule: 'The rules of the graph hold for the task and its predecessors.' },
  { name: 'size', rule: 'The token is at most 16 KiB.' },
  { name: 'room', rule: 'The quota of the caller and the disk have room for what is kept.' },
  { name: 'signature', rule: 'The token is signed, unless it is of level L1.' },
  { name: 'record', rule: 'A token of level L3 is recorded.' },
];

/** Every step of Append: whether there is room is asked before the token is looked at. */
export const APPEND_STEPS: readonly StepRule[] = [
  { name: 'room', rule: 'The quota of the caller and the disk have room for the entry.' },
  ...VERIFY_STEPS,
];

/** What Issue would do. `outcomes` has one entry for each of ISSUE_STEPS. */
export interface IssueRehearsal {
  /** What would leave; undefined where nothing would. */
  readonly token: Pick<Issued, 'claims' | 'kid' | 'level'> | undefined;
  readonly dag: DagReport | undefined;
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly Failure[];
}

/** Rehearses one Issue. The request id is not looked at: nothing is remembered. */
export async function rehearseIssue(
  parts: AuthorityParts,
  caller: Caller,
  order: IssueOrder,
  until: Until,
): Promise<IssueRehearsal> {
  const rows = new Rows(ISSUE_STEPS);
  const permitted = await attempt(() => permitIssue(parts, caller, order));
  const permit = rows.settle('caller', permitted) ?? {
    iss: order.iss,
    defaultTtlSeconds: parts.policy.defaultTtlSeconds,
  };
  const claims = rows.settle('formats', await attempt(() => draftClaims(parts, order, permit)));
  // The key of a name that the caller may not use is not asked for.
  const chosen = isRefusalOf(permitted)
    ? undefined
    : rows.settle('key', await attempt(() => choose(parts, order, permit)));
  const kid = chosen?.signer?.jwk.kid ?? '';
  let dag: DagReport | undefined;
  if (claims === undefined) return { token: undefined, dag, ...rows.results() };
  // What the ledger holds is nobody's business whom the policy does not let issue.
  const mayLook = !isRefusalOf(permitted) || permitted.reason !== 'NOT_AUTHORIZED' || parts.authorizer?.isBuiltIn;
  if (mayLook && namesTasks(order)) {
    const { report, refusal } = await examinePredecessors(parts, caller, order, claims, kid, until);
    rows.settle('dag', refusal ?? report);
    if (order.pred.length > 0) dag = report;
  } else if (mayLook) rows.settle('dag', claims);
  const draft = chosen && rows.settle('size', await attempt(() => draftToken(parts, order, claims, chosen.signer)));
  if (draft !== undefined) {
    rows.settle('room', await attempt(() => demandWrites(parts, caller, order, claims, draft.tokenBytes)));
  }
  const results = rows.results();
  const token = results.failures.length === 0 ? { claims, kid, level: levelOnLeaving(order) } : undefined;
  return { token, dag, ...results };
}

/** The key that would sign; none for L1. */
function choose(parts: AuthorityParts, order: IssueOrder, { iss }: IssuePermit) {
  return { signer: signerFor(parts, order, iss) };
}

/** The verdict on a token as the ledger sees it, and the entry where it is there already. */
export interface AppendRehearsal {
  /** One for each of APPEND_STEPS. */
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly Failure[];
  /** What Append would be refused for. */
  readonly refusal: Refusal | undefined;
  readonly verdict: Verdict;
  readonly known: Appended | undefined;
}

/** Rehearses one append. */
export async function rehearseAppend(
  parts: AuthorityParts,
  caller: Caller,
  text: string,
  until: Until,
): Promise<AppendRehearsal> {
  const least = await attempt(() => demandEntry(parts, caller, text));
  const { verdict, known } = await rehearseEntry(parts, caller, text, until);
  const isNew = known === undefined && verdict.refusal === undefined;
  const room = isNew ? await attempt(() => demandRoomFor(parts, caller, text, verdict)) : least;
  const after = verdict.failures.map(({ step, refusal }) => ({ step: step + 1, refusal }));
  if (!isRefusalOf(room)) {
    return { outcomes: ['PASS', ...verdict.outcomes], failures: after, refusal: verdict.refusal, verdict, known };
  }
  // Without room for it not even an entry that is there is looked for.
  const failures = [{ step: 0, refusal: room }, ...after];
  return { outcomes: ['FAIL', ...verdict.outcomes], failures, refusal: room, verdict, known: undefined };
}

function demandRoomFor(parts: AuthorityParts, caller: Caller, text: string, { token }: Verdict): void {
  const bytes = token === undefined ? 0 : entryBytes(text.length, token.claims);
  demandRoom(parts, { caller, use: 'ledger', bytes });
}

async function rehearseEntry(parts: AuthorityParts, caller: Caller, text: string, until: Until) {
  const read = await verifyForLedger(parts, text, 'report');
  // A report goes on where a call has ended, so it is no measure of what that would find.
  const { token: found, namesake } = await findNamesake(
    parts,
    text,
    read.ok ? read : await verifyForLedger(parts, text),
  );
  if (namesake !== undefined && isOf(namesake, found!)) {
    return { verdict: await verdictOnKnown(parts, text, namesake), known: await answerKnown(parts, namesake) };
  }
  const verdict = openVerdict(read);
  const { token } = verdict;
  if (token !== undefined) {
    const { wid, jti } = token.claims;
    const other = found === undefined ? await parts.ledger.find(wid, jti) : namesake;
    const exists = other !== undefined && !isOf(other, token);
    verdict.dag = await examineForLedger(parts, token, ancestryFor(parts, caller), exists, until);
    settleStep(verdict, verdict.outcomes.length, refusalOf(verdict.dag, { complete: true }));
  }
  return { verdict: closeVerdict(verdict, token?.level), known: undefined };
}

/**
 * Of a token that is there already, judged by the time at which it was recorded. The call answers the entry whatever has become of
 * its key or of the rules since then: nothing that does not hold any more is a refusal.
 */
async function verdictOnKnown(parts: AuthorityParts, text: string, record: LedgerRecord): Promise<Verdict> {
  const recordedAt = secondOf(record);
  const verdict = openVerdict(await verifyForLedger(parts, text, 'report', { asOf: recordedAt, recordedAt }));
  verdict.outcomes = verdict.outcomes.map((outcome) => (outcome === 'FAIL' ? 'SKIPPED' : outcome));
  return closeVerdict({ ...verdict, refusal: undefined, failures: [] }, 'L3');
}

/** What became of the steps of a procedure, by their names. */
class Rows {
  readonly #steps: readonly StepRule[];
  readonly #outcomes: Outcome[];
  readonly #failures: Failure[] = [];

  constructor(steps: readonly StepRule[]) {
    this.#steps = steps;
    this.#outcomes = steps.map(() => 'SKIPPED');
  }

  /** Writes down a step that was run. Answers what it found; undefined where it is refused. */
  settle<T>(name: string, result: T | Refusal): T | undefined {
    const step = this.#steps.findIndex((rule) => rule.name === name);
    const isRefused = isRefusalOf(result);
    this.#outcomes[step] = isRefused ? 'FAIL' : 'PASS';
    if (!isRefused) return result;
    this.#failures.push({ step, refusal: result });
    return undefined;
  }

  results(): { readonly outcomes: readonly Outcome[]; readonly failures: readonly Failure[] } {
    return { outcomes: this.#outcomes, failures: this.#failures };
  }
}

/** What `run` answers, or the refusal that it throws. */
async function attempt<T>(run: () => T | Promise<T>): Promise<T | Refusal> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof EctError) return error.refusal;
    throw error;
  }
}

function isRefusalOf<T>(result: T | Refusal): result is Refusal {
  return typeof result === 'object' && result !== null && 'reason' in result;
}
