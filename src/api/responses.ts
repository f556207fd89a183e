// Converts results of the procedures into messages.

import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  APPEND_STEPS,
  type AppendDryRun,
  type Appended,
  type Equivocation,
  ISSUE_STEPS,
  type IssueDryRun,
  type Issued,
  type StepRule,
  VERIFY_STEPS,
  type Verdict,
} from '../authority/index.ts';
import type {
  AppendLedgerResponseSchema,
  IssueResponseSchema,
  VerifyResponseSchema,
} from '../gen/ect/v1/authority_pb.ts';
import type { ReceiptFormat } from '../gen/ect/v1/ledger_pb.ts';
import {
  type CheckSchema,
  CheckStatus,
  type ClaimsSchema,
  Level,
  type PolicyClaimsSchema,
} from '../gen/ect/v1/token_pb.ts';
import type { Claims, Failure, Outcome, PolicyClaims } from '../token/index.ts';
import type { DetailBudget } from './detail-budget.ts';
import { writeEntry, writeReceipt } from './entry-messages.ts';
import { findingBytes, writeFinding, writeReason } from './findings.ts';
import { writeReport } from './graph-messages.ts';
import { toItemFinding } from './item-errors.ts';
import type { provenanceFor } from './provenance-messages.ts';

/**
 * Converts the claims of a token of either draft.
 *
 * @internal Exported because the rule has tests of its own.
 */
export function writeClaims(claims: Claims): MessageInitShape<typeof ClaimsSchema> {
  const { iss, aud, jti, wid, exec_act, pred, inp_hash, out_hash, ect_ext, policy } = claims;
  return {
    iss,
    aud: [...aud],
    iat: timestampOf(claims.iat),
    exp: timestampOf(claims.exp),
    jti,
    wid,
    execAct: exec_act,
    pred: [...pred],
    inpHash: inp_hash,
    outHash: out_hash,
    ...(ect_ext === undefined ? {} : { ectExt: ect_ext as MessageInitShape<typeof ClaimsSchema>['ectExt'] }),
    ...(policy === undefined ? {} : { policy: writePolicy(policy) }),
  };
}

function writePolicy(policy: PolicyClaims): MessageInitShape<typeof PolicyClaimsSchema> {
  const { pol, decision, enforcer, timestamp, compensation, compensationReason } = policy;
  return {
    pol,
    polDecision: decision ?? '',
    polEnforcer: enforcer,
    ...(timestamp === undefined ? {} : { polTimestamp: timestampOf(timestamp) }),
    compensationRequired: compensation,
    compensationReason,
  };
}

/** `seconds`: since the epoch, as in claims. */
function timestampOf(seconds: number): { readonly seconds: bigint; readonly nanos: number } {
  return { seconds: BigInt(seconds), nanos: 0 };
}

/** Converts a verdict, with all steps if a report was requested. */
export function writeVerdict(
  verdict: Verdict,
  mode: 'enforce' | 'report',
  details?: DetailBudget,
): MessageInitShape<typeof VerifyResponseSchema> {
  const { rejection, token, dag, level, equivocation } = verdict;
  return {
    valid: rejection === undefined,
    ...(rejection === undefined ? {} : { finding: toItemFinding(rejection, details) }),
    level: level === undefined ? Level.UNSPECIFIED : Level[level],
    kid: token?.kid ?? '',
    ...(token === undefined ? {} : { claims: writeClaims(token.claims) }),
    ...(equivocation === undefined ? {} : writeEquivocation(equivocation, details)),
    ...(dag === undefined ? {} : { dagReport: writeReport(dag, details) }),
    ...(mode === 'report' ? { checks: writeChecks(VERIFY_STEPS, verdict, details) } : {}),
  };
}

/** Undefined if the budget of a batch has no room for both tokens. */
function writeEquivocation({ signingInput, firstSigningInput }: Equivocation, details: DetailBudget | undefined) {
  const bytes = Buffer.byteLength(signingInput) + Buffer.byteLength(firstSigningInput) + EQUIVOCATION_OVERHEAD;
  if (details?.take(bytes) === false) return {};
  return { equivocation: { signingInput, otherSigningInput: firstSigningInput } };
}

/** The tags and lengths of the two tokens. */
const EQUIVOCATION_OVERHEAD = 16;

type Checks = MessageInitShape<typeof CheckSchema>[];

/** The results of a list of steps. */
interface StepResults {
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly Failure[];
}

/** Converts the results of steps. If the budget of a batch has no room for a finding, only its reason is written. */
function writeChecks(steps: readonly StepRule[], { outcomes, failures }: StepResults, details?: DetailBudget): Checks {
  return steps.map(({ name, rule }, step) => {
    const row = { name, rule, status: CheckStatus[outcomes[step]!] };
    const rejection = failures.find((failure) => failure.step === step)?.rejection;
    if (rejection === undefined) return row;
    const hasRoom = details?.take(findingBytes(rejection)) ?? true;
    return { ...row, finding: hasRoom ? writeFinding(rejection) : writeReason(rejection) };
  });
}

/** Options for writing a response. */
export interface Manner {
  readonly receiptFormat?: ReceiptFormat;
  /** The budget of details, in a batch. */
  readonly details?: DetailBudget | undefined;
  /** Returns the provenance of an entry if the caller may see it. Not set in a batch, whose response has no room for it. */
  readonly provenanceOf?: ReturnType<typeof provenanceFor>;
}

export function writeAppended({ record, receipt, duplicate }: Appended, { receiptFormat, provenanceOf }: Manner = {}) {
  return {
    entry: writeEntry(record, provenanceOf?.(record)),
    receipt: writeReceipt(receipt, receiptFormat),
    duplicate,
  };
}

/** Converts the result of an append dry run. */
export function writeAppendDryRun(
  result: AppendDryRun,
  manner: Manner = {},
): MessageInitShape<typeof AppendLedgerResponseSchema> {
  const checks = writeChecks(APPEND_STEPS, result, manner.details);
  const { known } = result;
  return { ...(known === undefined ? { duplicate: false } : writeAppended(known, manner)), checks };
}

export function writeIssued(
  issued: Issued,
  { receiptFormat, details }: Manner = {},
): MessageInitShape<typeof IssueResponseSchema> {
  const { token, level, claims, kid, dag, receipt } = issued;
  return {
    token,
    claims: writeClaims(claims),
    kid,
    level: Level[level],
    receipt: receipt && writeReceipt(receipt, receiptFormat),
    dagReport: dag && writeReport(dag, details),
  };
}

/** Converts the result of an issue dry run. */
export function writeIssueDryRun(
  result: IssueDryRun,
  { details }: Manner = {},
): MessageInitShape<typeof IssueResponseSchema> {
  const { token, dag } = result;
  return {
    checks: writeChecks(ISSUE_STEPS, result, details),
    ...(token === undefined ? {} : { claims: writeClaims(token.claims), kid: token.kid, level: Level[token.level] }),
    ...(dag === undefined ? {} : { dagReport: writeReport(dag, details) }),
  };
}
