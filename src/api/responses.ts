// Between messages and the domain: what goes out. Nothing is decided here.

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
 * The claims of a token as the API spells them, whichever draft it is of.
 * @internal Exported because the rule is tested by itself.
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

/** Seconds since 1970, as claims have them. */
function timestampOf(seconds: number): { readonly seconds: bigint; readonly nanos: number } {
  return { seconds: BigInt(seconds), nanos: 0 };
}

/** A verdict; with every step where a report was asked for. */
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

/** Nothing where a batch has no room for both. */
function writeEquivocation({ signingInput, firstSigningInput }: Equivocation, details: DetailBudget | undefined) {
  const bytes = Buffer.byteLength(signingInput) + Buffer.byteLength(firstSigningInput) + EQUIVOCATION_OVERHEAD;
  if (details?.take(bytes) === false) return {};
  return { equivocation: { signingInput, otherSigningInput: firstSigningInput } };
}

/** Tags and lengths. */
const EQUIVOCATION_OVERHEAD = 16;

type Checks = MessageInitShape<typeof CheckSchema>[];

/** What became of a list of steps. */
interface StepResults {
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly Failure[];
}

/** Where a batch has no room for a finding, its reason is there. */
function writeChecks(steps: readonly StepRule[], { outcomes, failures }: StepResults, details?: DetailBudget): Checks {
  return steps.map(({ name, rule }, step) => {
    const row = { name, rule, status: CheckStatus[outcomes[step]!] };
    const rejection = failures.find((failure) => failure.step === step)?.rejection;
    if (rejection === undefined) return row;
    const hasRoom = details?.take(findingBytes(rejection)) ?? true;
    return { ...row, finding: hasRoom ? writeFinding(rejection) : writeReason(rejection) };
  });
}

/** How a response is written, beside what is in it. */
export interface Manner {
  readonly receiptFormat?: ReceiptFormat;
  /** Of a batch. */
  readonly details?: DetailBudget | undefined;
  /** The provenance of an entry that the caller may see. A batch has no room for those of a thousand entries. */
  readonly provenanceOf?: ReturnType<typeof provenanceFor>;
}

export function writeAppended({ record, receipt, duplicate }: Appended, { receiptFormat, provenanceOf }: Manner = {}) {
  return {
    entry: writeEntry(record, provenanceOf?.(record)),
    receipt: writeReceipt(receipt, receiptFormat),
    duplicate,
  };
}

/** What an append would do: nothing of it is done. */
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

/** What Issue would do. */
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
