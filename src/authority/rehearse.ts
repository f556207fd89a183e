// Dry runs: what Issue and Append would do, step by step, without doing it. Every step that can be run is run.

import { type DagReport, refusalOf } from '../dag/index.ts';
import { EctError, type Refusal } from '../errors.ts';
import type { Until } from '../keys/index.ts';
import type { Claims, Failure, Level, Outcome } from '../token/index.ts';
import { ancestryFor } from './ancestry.ts';
import { type Appended, answerKnown, verifyForLedger } from './append.ts';
import type { Caller } from './caller.ts';
import { isOf, secondOf } from './evidence.ts';
import { examineForLedger } from './graph.ts';
import { draftToken, examinePredecessors, levelOnLeaving, signerFor } from './issue.ts';
import { draftClaims } from './issue-claims.ts';
import type { IssueOrder } from './issue-order.ts';
import type { AuthorityParts } from './parts.ts';
import { permitIssue } from './permit-issue.ts';
import { closeVerdict, openVerdict, type StepRule, settleStep, type Verdict } from './verdict.ts';

/** Every step of Issue, in order. The last two are what a dry run leaves out. */
export const ISSUE_STEPS: readonly StepRule[] = [
  { name: 'caller', rule: 'The caller may issue in the name of `iss`.' },
  { name: 'formats', rule: 'Every claim keeps its own rule.' },
  { name: 'size', rule: 'The token is at most 16 KiB.' },
  { name: 'dag', rule: 'The rules of the graph hold for the task and its predecessors.' },
  { name: 'signature', rule: 'The token is signed, unless it is of level L1.' },
  { name: 'record', rule: 'A token of level L3 is recorded.' },
];

/** What Issue would do. `outcomes` has one entry for each of ISSUE_STEPS. */
export interface IssueRehearsal {
  /** What the token would say; undefined where it may not. */
  readonly claims: Claims | undefined;
  readonly kid: string;
  /** Of the token as it would leave. */
  readonly level: Level;
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
  const outcomes: Outcome[] = ISSUE_STEPS.map(() => 'SKIPPED');
  const failures: Failure[] = [];
  const settle = <T>(name: string, result: T | Refusal): T | undefined => {
    const step = ISSUE_STEPS.findIndex((rule) => rule.name === name);
    const isRefused = isRefusalOf(result);
    outcomes[step] = isRefused ? 'FAIL' : 'PASS';
    if (!isRefused) return result;
    failures.push({ step, refusal: result });
    return undefined;
  };
  const permitted = await attempt(() => permitIssue(parts, caller, order));
  const permit = settle('caller', permitted) ?? {
    iss: order.iss,
    defaultTtlSeconds: parts.policy.defaultTtlSeconds,
  };
  const claims = settle('formats', await attempt(() => draftClaims(parts, order, permit)));
  const chosen = await attempt(() => signerFor(parts, order, permit.iss));
  const signer = isRefusalOf(chosen) ? undefined : chosen;
  const signed = { kid: signer?.jwk.kid ?? '', level: levelOnLeaving(order) };
  if (claims === undefined) return { claims, ...signed, dag: undefined, outcomes, failures };
  settle('size', await attempt(() => draftToken(parts, order, claims, signer)));
  // What the ledger holds is nobody's business whom the policy does not let issue.
  if (isRefusalOf(permitted) && permitted.reason === 'NOT_AUTHORIZED' && parts.authorizer?.isBuiltIn !== true) {
    return { claims, ...signed, dag: undefined, outcomes, failures };
  }
  const { report: dag, refusal } = await examinePredecessors(parts, caller, order, claims, signed.kid, until);
  settle('dag', refusal ?? dag);
  if (isRefusalOf(chosen)) settle('signature', chosen);
  return { claims, ...signed, dag: order.pred.length === 0 ? undefined : dag, outcomes, failures };
}

/** The verdict on a token as the ledger sees it, and the entry where it is there already. */
export interface AppendRehearsal {
  readonly verdict: Verdict;
  readonly known: Appended | undefined;
}

/** Rehearses one append. A token that is there already is judged by the time at which it was recorded. */
export async function rehearseAppend(
  parts: AuthorityParts,
  caller: Caller,
  text: string,
  until: Until,
): Promise<AppendRehearsal> {
  const read = await verifyForLedger(parts, text, 'report');
  const namesake = read.token && (await parts.ledger.find(read.token.claims.wid, read.token.claims.jti));
  const recorded = namesake !== undefined && isOf(namesake, read.token!) ? namesake : undefined;
  const verdict = openVerdict(
    recorded === undefined ? read : await verifyForLedger(parts, text, 'report', secondOf(recorded)),
  );
  const { token } = verdict;
  if (token !== undefined) {
    const exists = namesake !== recorded;
    verdict.dag = await examineForLedger(parts, token, ancestryFor(parts, caller), exists, until);
    settleStep(verdict, verdict.outcomes.length, refusalOf(verdict.dag, { complete: true }));
  }
  const known = recorded && (await answerKnown(parts, recorded));
  return { verdict: closeVerdict(verdict, known === undefined ? token?.level : 'L3'), known };
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
