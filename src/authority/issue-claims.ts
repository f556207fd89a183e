// The claims of a token to issue: the input with defaults filled in, checked against every rule before anything is signed.

import { randomUUID } from 'node:crypto';
import { EctError, type Rejection, reject, rejectAll } from '../errors.ts';
import {
  type Claims,
  checkFormats,
  formatFaults,
  isRejection,
  policyFaults,
  policyIn,
  type TypedClaims,
} from '../token/index.ts';
import type { AuthorityContext } from './context.ts';
import type { IssueInput } from './issue-input.ts';
import type { IssuePermit } from './permit-issue.ts';

/** Fills in the defaults and checks every claim exactly as a verifier does. */
export function draftClaims(context: AuthorityContext, input: IssueInput, permit: IssuePermit): Claims {
  const policy = policyIn(input.ext?.value);
  const claims = claimsOf(input, permit, context.stamp(), policy);
  const isSound =
    !isRejection(policy) &&
    checkFormats(claims, context.policy.token) === undefined &&
    checkDraft(context, input) === undefined &&
    checkLedgerAudience(context, input) === undefined;
  if (isSound) return claims as Claims;
  const [first, ...others] = faultsOfClaims(context, input, claims, policy);
  if (first === undefined) throw new TypeError('a claim set was rejected for nothing');
  throw new EctError(rejectAll([first, ...others], () => ''));
}

/** Every rule that a request can violate for any caller. Its violations name fields of the request. */
export function issueFaults(context: AuthorityContext, input: IssueInput): readonly Rejection[] {
  const policy = policyIn(input.ext?.value);
  const iss = input.iss === '' ? context.policy.issuer : input.iss;
  const { defaultTtlSeconds } = context.policy;
  return faultsOfClaims(context, input, claimsOf(input, { iss, defaultTtlSeconds }, 0, policy), policy);
}

function claimsOf(
  input: IssueInput,
  { iss, defaultTtlSeconds }: Pick<IssuePermit, 'iss' | 'defaultTtlSeconds'>,
  iat: number,
  policy: ReturnType<typeof policyIn>,
): TypedClaims {
  return {
    iss,
    aud: input.aud,
    iat,
    exp: iat + (input.ttlSeconds ?? defaultTtlSeconds),
    jti: input.jti === '' ? randomUUID() : input.jti,
    wid: input.wid,
    exec_act: input.execAct,
    pred: input.pred,
    inp_hash: input.inpHash,
    out_hash: input.outHash,
    ect_ext: input.ext?.value,
    policy: isRejection(policy) ? undefined : policy,
  };
}

function faultsOfClaims(
  context: AuthorityContext,
  input: IssueInput,
  claims: TypedClaims,
  policy: ReturnType<typeof policyIn>,
): readonly Rejection[] {
  const ext = input.ext?.field ?? 'ect_ext';
  const faults: Rejection[] = [];
  const add = (rejection: Rejection | undefined, field: string) => {
    if (rejection !== undefined) faults.push({ ...rejection, violations: [{ field, description: rejection.message }] });
  };
  add(checkDraft(context, input), 'draft');
  if (isRejection(policy)) {
    for (const fault of policyFaults(input.ext?.value ?? {})) add(fault, `${ext}.${fault.metadata['claim'] ?? ''}`);
  }
  for (const fault of formatFaults(claims, context.policy.token)) {
    const claim = fault.violations?.[0]?.field ?? '';
    add(fault, FIELDS_OF_CLAIMS[claim] ?? (claim === 'ect_ext' ? ext : claim));
  }
  add(checkLedgerAudience(context, input), 'aud');
  return faults;
}

/** The field of the request for a claim with another name. */
const FIELDS_OF_CLAIMS: Readonly<Record<string, string>> = { exp: 'ttl' };

/** A token that Issue records needs the same audience as a token that AppendLedger records. */
function checkLedgerAudience({ policy }: AuthorityContext, { level, aud }: IssueInput): Rejection | undefined {
  const { ledgerAudience: ledger } = policy;
  if (level !== 'L3' || ledger === '' || aud.includes(ledger)) return undefined;
  return reject('AUDIENCE_MISMATCH', `aud does not name the ledger, ${ledger}, but the token is to be recorded.`);
}

function checkDraft({ policy }: AuthorityContext, { draft }: IssueInput): Rejection | undefined {
  if (policy.token.drafts.includes(draft)) return undefined;
  const message = `draft must be one that is accepted here, and -${draft} is switched off.`;
  return reject('REQUEST_INVALID', message, { field: 'draft' });
}
