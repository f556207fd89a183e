// The verification of one token, in the order of the draft. The steps that need more than the token (graph, replay) are in
// authority/verify.ts; their numbers continue these.

import type { Rejection } from '../errors.ts';
import type { KeyRing } from '../keys/index.ts';
import { checkAudience, checkClaimFormats, checkClaims, checkHashes, checkIssuer, checkTimes } from './claim-steps.ts';
import {
  checkAlgorithm,
  checkForm,
  checkHeader,
  checkKey,
  checkLevel,
  checkSignature,
  checkSize,
  checkType,
  findKey,
} from './envelope-steps.ts';
import type { SignatureCache } from './signature-cache.ts';
import { openVerificationState, type StepFindings, type VerificationState } from './verification-state.ts';
import type { TokenPolicy, VerifiedToken, VerifyOptions } from './verify-options.ts';

/** Verifies one token. Never throws, whatever `text` contains. `memo` caches verified signatures. */
export function verifyToken(
  text: string,
  options: VerifyOptions,
  policy: TokenPolicy,
  keys: KeyRing,
  signatureCache?: SignatureCache,
): TokenVerdict {
  return new Verification(text, options, policy, keys, signatureCache).finish();
}

/** The same verification in three parts, for callers that check the signatures of several tokens one directly after another. */
export class Verification {
  readonly #state: VerificationState;
  readonly #outcomes: Outcome[] = [];
  readonly #failures: Failure[] = [];

  /** Runs the steps before the signature. */
  constructor(
    text: string,
    options: VerifyOptions,
    policy: TokenPolicy,
    keys: KeyRing,
    signatureCache?: SignatureCache,
  ) {
    this.#state = openVerificationState({ text, options, policy, keys, signatureCache });
    this.#runUntil(SIGNATURE_STEP);
  }

  /** Whether there is a signature to check that is not in the cache. */
  get owesSignature(): boolean {
    const { signatureCache, parts, key } = this.#state;
    if (!mayRun(TOKEN_STEPS[SIGNATURE_STEP]!, this.#state)) return false;
    this.#state.isRemembered ??= signatureCache?.holds(parts, key) ?? false;
    return !this.#state.isRemembered;
  }

  /** Checks the signature. */
  checkSignature(): void {
    this.#runUntil(SIGNATURE_STEP + 1);
  }

  /** Runs the remaining steps and returns the verdict. */
  finish(): TokenVerdict {
    this.#runUntil(TOKEN_STEPS.length);
    const outcomes = this.#outcomes;
    const failures = this.#failures;
    const { token } = this.#state;
    const first = failures[0];
    if (first === undefined) return { ok: true, token: token!, outcomes };
    return { ok: false, rejection: first.rejection, failures, token, outcomes };
  }

  #runUntil(end: number): void {
    const state = this.#state;
    for (let at = this.#outcomes.length; at < end; at++) {
      const step = TOKEN_STEPS[at]!;
      const result = mayRun(step, state) ? step.run(state) : 'skipped';
      this.#outcomes.push(result === undefined ? 'PASS' : result === 'skipped' ? 'SKIPPED' : 'FAIL');
      if (result === undefined || result === 'skipped') continue;
      this.#failures.push({ step: at, rejection: result });
      state.sound = false;
    }
  }
}

/** All steps, in order. Steps that need the parts of a signed token are skipped for an unsigned object. */
export const TOKEN_STEPS: readonly Step[] = [
  step('size', 'The token is at most 16 KiB, before anything is parsed.', [], checkSize),
  step('form', 'Canonical base64url and strict JSON, in three parts or as an unsigned object.', ['bounded'], checkForm),
  step('level', 'The level is at least the minimum.', ['content'], checkLevel),
  step('typ', '`typ` names an Execution Context Token.', ['parts'], checkType),
  step(
    'header',
    'No header member brings in a key, a URL, another encoding or another issuer.',
    ['parts'],
    checkHeader,
  ),
  step('alg', '`alg` is on the allowlist.', ['parts'], checkAlgorithm),
  step('key', '`kid` names a trusted key.', ['parts'], findKey),
  step('key_state', 'The key is in force and fits the algorithm.', ['algorithm', 'key'], checkKey),
  step('signature', 'The signature verifies.', ['parts', 'algorithm', 'key', 'fits'], checkSignature),
  step('claims', 'Every required claim is there, each has its type, all are of one draft.', ['content'], checkClaims),
  step('formats', 'Every claim is valid.', ['typed'], checkClaimFormats),
  step('issuer', 'The key speaks for `iss`, and still did at `iat`.', ['key', 'typed'], checkIssuer),
  step('audience', '`aud` names the verifier.', ['typed'], checkAudience),
  step('time', '`exp` is ahead; `nbf` and `iat` are not too far ahead; `iat` is not too old.', ['typed'], checkTimes),
  step('hashes', 'Input and output are those that the token was issued for.', ['typed'], checkHashes),
];

const SIGNATURE_STEP = TOKEN_STEPS.findIndex(({ name }) => name === 'signature');

/** One step. It returns a rejection, `skipped`, or undefined if it succeeds. */
interface Step {
  readonly name: string;
  readonly rule: string;
  /** The results without which it does not run. */
  readonly needs: readonly (keyof StepFindings)[];
  readonly run: (state: VerificationState) => Rejection | 'skipped' | undefined;
}

function step(name: string, rule: string, needs: Step['needs'], run: Step['run']): Step {
  return { name, rule, needs, run };
}

function mayRun({ needs }: Step, state: VerificationState): boolean {
  // If no step of a signed token has failed, every result is present.
  if (state.sound) return state.parts !== undefined || needs.every((finding) => state[finding] !== undefined);
  return state.options.mode === 'report' && needs.every((finding) => state[finding] !== undefined);
}

export type Outcome = 'PASS' | 'FAIL' | 'SKIPPED';

/** A failed step, by its index in TOKEN_STEPS. */
export interface Failure {
  readonly step: number;
  readonly rejection: Rejection;
}

/** The verdict on a token. `outcomes` has one element for each of TOKEN_STEPS. */
export type TokenVerdict =
  | { readonly ok: true; readonly token: VerifiedToken; readonly outcomes: readonly Outcome[] }
  | {
      readonly ok: false;
      /** The rejection of the first failure. */
      readonly rejection: Rejection;
      /** All failed steps, in order. There is only one unless a report was requested. */
      readonly failures: readonly Failure[];
      /** The token, if its signature and claims are valid and only a later step failed. */
      readonly token: VerifiedToken | undefined;
      readonly outcomes: readonly Outcome[];
    };
