// The claims about a policy decision. In -01 they are members of `ect_ext`; in -00 they are claims of the top level.

import { type Rejection, reject } from '../errors.ts';
import { hasMoreCharacters } from '../keys/index.ts';
import { type Draft, hasPolicy, POLICY_CLAIMS } from './drafts.ts';
import { LAST_SECOND } from './seconds.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

const DECISIONS = ['approved', 'rejected', 'pending_human_review'] as const;

/** The decision of a policy about a task. */
export type Decision = (typeof DECISIONS)[number];

/** The policy claims of a token that has at least one. An absent claim is an empty string, undefined or false. */
export interface PolicyClaims {
  /** An opaque policy id. It is present if and only if `decision` is. */
  readonly pol: string;
  readonly decision: Decision | undefined;
  readonly enforcer: string;
  /** Seconds since the epoch. */
  readonly timestamp: number | undefined;
  /** The claim `compensation_required`. */
  readonly compensation: boolean;
  readonly compensationReason: string;
}

/**
 * The policy claims that draft -00 allows at the top level only. The others may be at the top level or inside `ext`, but not in both
 * places, where two readers could see different values.
 */
export const LIFTED: readonly string[] = ['pol', 'pol_decision', 'pol_enforcer'];

const MAX_TEXT_CHARACTERS = 2048;
const CONTROL = /[\p{Cc}\p{Cs}]/u;

/** Reads the policy claims of a token. Returns undefined if there are none, and CLAIM_INVALID, which names the claim, if one is wrong. */
export function readPolicy(
  payload: JsonObject,
  ext: JsonObject | undefined,
  draft: Draft,
): PolicyClaims | undefined | Rejection<'CLAIM_INVALID'> {
  if (draft === '01') return policyIn(ext);
  const misplaced = POLICY_CLAIMS.find(
    (name) => ext?.[name] !== undefined && (payload[name] !== undefined || LIFTED.includes(name)),
  );
  if (misplaced !== undefined) return broken(misplaced, 'must stand at the top level in draft -00, and there only');
  return policyIn(Object.fromEntries(POLICY_CLAIMS.flatMap((name) => pick(name, payload, ext))));
}

function pick(
  name: string,
  payload: JsonObject,
  ext: JsonObject | undefined,
): readonly (readonly [string, JsonValue])[] {
  const value = payload[name] ?? ext?.[name];
  return value === undefined ? [] : [[name, value]];
}

/** Reads the policy claims of an extension object of -01, with the same results. */
export function policyIn(members: JsonObject | undefined): PolicyClaims | undefined | Rejection<'CLAIM_INVALID'> {
  if (members === undefined || !hasPolicy(members)) return undefined;
  const [fault] = policyFaults(members);
  if (fault !== undefined) return fault;
  return {
    pol: (members['pol'] ?? '') as string,
    decision: members['pol_decision'] as Decision | undefined,
    enforcer: (members['pol_enforcer'] ?? '') as string,
    timestamp: members['pol_timestamp'] as number | undefined,
    compensation: (members['compensation_required'] ?? false) as boolean,
    compensationReason: (members['compensation_reason'] ?? '') as string,
  };
}

/** Returns a rejection for every policy claim of an extension object that breaks its rule. */
export function policyFaults(members: JsonObject): readonly Rejection<'CLAIM_INVALID'>[] {
  const faults: Rejection<'CLAIM_INVALID'>[] = [];
  const demand = (holds: boolean, claim: string, rule: string) => {
    if (!holds) faults.push(broken(claim, rule));
  };
  const { pol, pol_decision: decision, pol_timestamp: timestamp, compensation_required: compensation } = members;
  for (const name of ['pol', 'pol_enforcer', 'compensation_reason'])
    demand(isAbsentOr(isText, members[name]), name, TEXT_RULE);
  demand(isAbsentOr(isDecision, decision), 'pol_decision', DECISION_RULE);
  const missing = pol === undefined ? 'pol' : 'pol_decision';
  demand((pol === undefined) === (decision === undefined), missing, 'is missing: pol and pol_decision go together');
  demand(isAbsentOr(isSeconds, timestamp), 'pol_timestamp', 'must be an integer of seconds before the year 10000');
  demand(isAbsentOr(isBoolean, compensation), 'compensation_required', 'must be true or false');
  return faults;
}

const TEXT_RULE = `must be a text of 1 to ${MAX_TEXT_CHARACTERS} characters without control characters`;
const DECISION_RULE = `must be ${DECISIONS.slice(0, -1).join(', ')} or ${DECISIONS.at(-1)}`;

function isAbsentOr(isRight: (value: JsonValue) => boolean, value: JsonValue | undefined): boolean {
  return value === undefined || isRight(value);
}

function isText(value: JsonValue): value is string {
  return (
    typeof value === 'string' && value !== '' && !hasMoreCharacters(value, MAX_TEXT_CHARACTERS) && !CONTROL.test(value)
  );
}

function isDecision(value: JsonValue): value is Decision {
  return (DECISIONS as readonly JsonValue[]).includes(value);
}

function isBoolean(value: JsonValue): value is boolean {
  return typeof value === 'boolean';
}

function isSeconds(value: JsonValue): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LAST_SECOND;
}

function broken(claim: string, rule: string): Rejection<'CLAIM_INVALID'> {
  return reject('CLAIM_INVALID', `${claim} ${rule}.`, { claim });
}
