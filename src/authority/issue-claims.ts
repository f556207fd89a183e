// The claims of a token that is to be issued: an order with the defaults filled in, held to every rule before anything is signed.

import { randomUUID } from 'node:crypto';
import { EctError, type Refusal, refuse, refuseAll } from '../errors.ts';
import {
  type Claims,
  checkFormats,
  formatFaults,
  isRefusal,
  policyFaults,
  policyIn,
  type TypedClaims,
} from '../token/index.ts';
import type { IssueOrder } from './issue-order.ts';
import type { AuthorityParts } from './parts.ts';
import type { IssuePermit } from './permit-issue.ts';

/** Fills in the defaults and holds every claim to its rule, exactly as a verifier will. */
export function draftClaims(parts: AuthorityParts, order: IssueOrder, permit: IssuePermit): Claims {
  const policy = policyIn(order.ext?.value);
  const claims = claimsOf(order, permit, parts.stamp(), policy);
  const isSound =
    !isRefusal(policy) &&
    checkFormats(claims, parts.policy.token) === undefined &&
    checkDraft(parts, order) === undefined &&
    checkLedgerAudience(parts, order) === undefined;
  if (isSound) return claims as Claims;
  const [first, ...others] = faultsOfClaims(parts, order, claims, policy);
  if (first === undefined) throw new TypeError('a claim set was refused for nothing');
  throw new EctError(refuseAll([first, ...others], () => ''));
}

/** Every rule that an order breaks by itself, for any caller. Its violations name fields of the request. */
export function issueFaults(parts: AuthorityParts, order: IssueOrder): readonly Refusal[] {
  const policy = policyIn(order.ext?.value);
  const iss = order.iss === '' ? parts.policy.issuer : order.iss;
  const { defaultTtlSeconds } = parts.policy;
  return faultsOfClaims(parts, order, claimsOf(order, { iss, defaultTtlSeconds }, 0, policy), policy);
}

function claimsOf(
  order: IssueOrder,
  { iss, defaultTtlSeconds }: IssuePermit,
  iat: number,
  policy: ReturnType<typeof policyIn>,
): TypedClaims {
  return {
    iss,
    aud: order.aud,
    iat,
    exp: iat + (order.ttlSeconds ?? defaultTtlSeconds),
    jti: order.jti === '' ? randomUUID() : order.jti,
    wid: order.wid,
    exec_act: order.execAct,
    pred: order.pred,
    inp_hash: order.inpHash,
    out_hash: order.outHash,
    ect_ext: order.ext?.value,
    policy: isRefusal(policy) ? undefined : policy,
  };
}

function faultsOfClaims(
  parts: AuthorityParts,
  order: IssueOrder,
  claims: TypedClaims,
  policy: ReturnType<typeof policyIn>,
): readonly Refusal[] {
  const ext = order.ext?.field ?? 'ect_ext';
  const faults: Refusal[] = [];
  const add = (refusal: Refusal | undefined, field: string) => {
    if (refusal !== undefined) faults.push({ ...refusal, violations: [{ field, description: refusal.message }] });
  };
  add(checkDraft(parts, order), 'draft');
  if (isRefusal(policy)) {
    for (const fault of policyFaults(order.ext?.value ?? {})) add(fault, `${ext}.${fault.facts['claim'] ?? ''}`);
  }
  for (const fault of formatFaults(claims, parts.policy.token)) {
    const claim = fault.violations?.[0]?.field ?? '';
    add(fault, FIELDS_OF_CLAIMS[claim] ?? (claim === 'ect_ext' ? ext : claim));
  }
  add(checkLedgerAudience(parts, order), 'aud');
  return faults;
}

/** The field of the request that a claim comes from, where it has another name. */
const FIELDS_OF_CLAIMS: Readonly<Record<string, string>> = { exp: 'ttl' };

/** What is recorded on the way out is held to the same audience as what is appended. */
function checkLedgerAudience({ policy }: AuthorityParts, { level, aud }: IssueOrder): Refusal | undefined {
  const { ledgerAudience: ledger } = policy;
  if (level !== 'L3' || ledger === '' || aud.includes(ledger)) return undefined;
  return refuse('AUDIENCE_MISMATCH', `aud does not name the ledger, ${ledger}, and the token is to be recorded.`);
}

function checkDraft({ policy }: AuthorityParts, { draft }: IssueOrder): Refusal | undefined {
  if (policy.token.drafts.includes(draft)) return undefined;
  const message = `draft must be one that is accepted here, and -${draft} is switched off.`;
  return refuse('REQUEST_INVALID', message, { field: 'draft' });
}
