// What became of the steps on a token: filled in one step after the other, then handed out as the verdict.

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
  /** Why not. In a report, still that of the step which `enforce` would have stopped at. */
  readonly rejection: Rejection | undefined;
  /** Undefined where the token is not valid. */
  readonly level: Level | undefined;
  /** The token as far as it can be trusted: signature and formats hold, though a later step may have failed. */
  readonly token: VerifiedToken | undefined;
  readonly dag: DagReport | undefined;
  readonly outcomes: readonly Outcome[];
  /** Every step that failed; at most one unless a report was asked for. */
  readonly failures: readonly Failure[];
  /** Both tokens of an equivocation, by their signing inputs. */
  readonly equivocation: Equivocation | undefined;
}

export interface Equivocation {
  readonly signingInput: string;
  /** Empty where the guard could not keep it. */
  readonly firstSigningInput: string;
}

/** A verdict that still grows. */
export interface OpenVerdict extends Verdict {
  rejection: Rejection | undefined;
  level: Level | undefined;
  dag: DagReport | undefined;
  outcomes: Outcome[];
  failures: readonly Failure[];
  equivocation: Equivocation | undefined;
}

const NONE: readonly Failure[] = [];

/** Opens a verdict with what became of the steps on the token itself. */
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

/** Writes down a step that was run: it holds, or it is rejected. */
export function recordStep(verdict: OpenVerdict, step: number, rejection: Rejection | undefined): void {
  verdict.outcomes[step] = rejection === undefined ? 'PASS' : 'FAIL';
  if (rejection === undefined) return;
  verdict.rejection ??= rejection;
  verdict.failures = [...verdict.failures, { step, rejection }];
}

/** Closes a verdict: steps that were not run are skipped. `level` is what the token was found to be. */
export function closeVerdict(verdict: OpenVerdict, level: Level | undefined): Verdict {
  while (verdict.outcomes.length < VERIFY_STEPS.length) verdict.outcomes.push('SKIPPED');
  if (verdict.rejection === undefined) verdict.level = level;
  return verdict;
}
