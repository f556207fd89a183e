// Collects the outcomes of the steps of a verification, and returns them as the verdict.

import type { DagReport } from '../dag/index.ts';
import type { Rejection } from '../errors.ts';
import {
  type Failure,
  type Level,
  type Outcome,
  TOKEN_STEPS,
  type TokenVerdict,
  type VerifiedToken,
} from '../token/index.ts';

/** The name of a step and the rule that it applies. */
export interface StepRule {
  readonly name: string;
  readonly rule: string;
}

/** Every step of the procedure, in order. */
export const VERIFY_STEPS: readonly StepRule[] = [
  ...TOKEN_STEPS,
  { name: 'dag', rule: 'The rules of the graph hold for the task and its predecessors.' },
  { name: 'replay', rule: 'This audience verifies the token for the first time.' },
];

export const LEVEL_STEP = TOKEN_STEPS.findIndex(({ name }) => name === 'level');

/** The verdict. `outcomes` has one entry for each of VERIFY_STEPS. */
export interface Verdict {
  /** Why the token is not valid. In a report, the reason of the first failed step. */
  readonly rejection: Rejection | undefined;
  /** Undefined if the token is not valid. */
  readonly level: Level | undefined;
  /** The token as far as it can be trusted: signature and formats are valid, though a later step may have failed. */
  readonly token: VerifiedToken | undefined;
  readonly dag: DagReport | undefined;
  readonly outcomes: readonly Outcome[];
  /** Every failed step; at most one unless a report was requested. */
  readonly failures: readonly Failure[];
  /** Both tokens of an equivocation, by their signing inputs. */
  readonly equivocation: Equivocation | undefined;
}

export interface Equivocation {
  readonly signingInput: string;
  /** Empty if the replay guard did not store it. */
  readonly firstSigningInput: string;
}

/** A verdict in progress. */
export interface OpenVerdict extends Verdict {
  rejection: Rejection | undefined;
  level: Level | undefined;
  dag: DagReport | undefined;
  outcomes: Outcome[];
  failures: readonly Failure[];
  equivocation: Equivocation | undefined;
}

const NONE: readonly Failure[] = [];

/** Starts a verdict with the outcomes of the steps on the token itself. */
export function openVerdict(first: TokenVerdict): OpenVerdict {
  return {
    rejection: first.ok ? undefined : first.rejection,
    level: undefined,
    token: first.token,
    dag: undefined,
    outcomes: [...first.outcomes],
    failures: first.ok ? NONE : first.failures,
    equivocation: undefined,
  };
}

/** Records the outcome of a step: passed or rejected. */
export function recordStep(verdict: OpenVerdict, step: number, rejection: Rejection | undefined): void {
  verdict.outcomes[step] = rejection === undefined ? 'PASS' : 'FAIL';
  if (rejection === undefined) return;
  verdict.rejection ??= rejection;
  verdict.failures = [...verdict.failures, { step, rejection }];
}

/** Completes the verdict: steps that did not run are skipped. `level` is the level that was determined. */
export function closeVerdict(verdict: OpenVerdict, level: Level | undefined): Verdict {
  while (verdict.outcomes.length < VERIFY_STEPS.length) verdict.outcomes.push('SKIPPED');
  if (verdict.rejection === undefined) verdict.level = level;
  return verdict;
}
