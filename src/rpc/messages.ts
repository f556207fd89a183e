// Between messages and the domain: what goes out. Nothing is decided here.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Appended,
  type AppendRehearsal,
  type Equivocation,
  ISSUE_STEPS,
  type Issued,
  type IssueRehearsal,
  readLeaf,
  type StepRule,
  VERIFY_STEPS,
  type Verdict,
} from '../authority/index.ts';
import { remedyFor } from '../errors.ts';
import type {
  AppendLedgerResponseSchema,
  IssueResponseSchema,
  VerifyResponseSchema,
} from '../gen/ect/v1/authority_pb.ts';
import { EntryKind, type EntrySchema, type ReceiptSchema } from '../gen/ect/v1/ledger_pb.ts';
import {
  type CheckSchema,
  CheckStatus,
  type ClaimsSchema,
  Level,
  type PolicyClaimsSchema,
} from '../gen/ect/v1/token_pb.ts';
import type { LedgerRecord, Receipt } from '../ledger/index.ts';
import type { Claims, Failure, Outcome, PolicyClaims } from '../token/index.ts';
import type { DetailRoom } from './detail-room.ts';
import { writeReport } from './graph-messages.ts';

export function writeClaims(claims: Claims): MessageInitShape<typeof ClaimsSchema> {
  const { iss, aud, jti, wid, exec_act, pred, inp_hash, out_hash, ect_ext, policy } = claims;
  return {
    iss,
    aud: [...aud],
    iat: BigInt(claims.iat),
    exp: BigInt(claims.exp),
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
    ...(timestamp === undefined ? {} : { polTimestamp: BigInt(timestamp) }),
    compensationRequired: compensation,
    compensationReason,
  };
}

export function writeVerdict(verdict: Verdict, details?: DetailRoom): MessageInitShape<typeof VerifyResponseSchema> {
  const { refusal, token, dag, level, equivocation } = verdict;
  return {
    valid: refusal === undefined,
    reason: refusal?.reason ?? '',
    message: refusal?.message ?? '',
    level: level === undefined ? Level.UNSPECIFIED : Level[level],
    checks: writeVerdictChecks(verdict),
    kid: token?.kid ?? '',
    ...(token === undefined ? {} : { claims: writeClaims(token.claims) }),
    ...(equivocation === undefined ? {} : writeEquivocation(equivocation, details)),
    ...(dag === undefined ? {} : { dag: writeReport(dag, details) }),
  };
}

/** Nothing where a batch has no room for both. */
function writeEquivocation({ signingInput, firstSigningInput }: Equivocation, details: DetailRoom | undefined) {
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

/** The rows of verdicts without a failure, by their outcomes: few patterns, each made once and frozen. */
const soundChecks = new Map<string, Checks>();
/** The pattern that came last: many verdicts in a row have the same. */
let lastOutcomes: readonly Outcome[] = [];
let lastChecks: Checks = [];

function writeVerdictChecks(verdict: Verdict): Checks {
  const { refusal, outcomes } = verdict;
  if (refusal !== undefined) return writeChecks(VERIFY_STEPS, verdict);
  if (outcomes.length === lastOutcomes.length && outcomes.every((outcome, at) => outcome === lastOutcomes[at])) {
    return lastChecks;
  }
  const pattern = outcomes.join();
  let checks = soundChecks.get(pattern);
  if (checks === undefined) {
    checks = Object.freeze(writeChecks(VERIFY_STEPS, verdict)) as Checks;
    soundChecks.set(pattern, checks);
  }
  lastOutcomes = outcomes;
  lastChecks = checks;
  return checks;
}

function writeChecks(steps: readonly StepRule[], { outcomes, failures }: StepResults): Checks {
  return steps.map(({ name, rule }, step) => {
    const reason = failures.find((failure) => failure.step === step)?.refusal.reason;
    return {
      step,
      name,
      rule,
      status: CheckStatus[outcomes[step]!],
      reason: reason ?? '',
      remedy: reason === undefined ? '' : remedyFor(reason),
    };
  });
}

export function writeReceipt(receipt: Receipt): MessageInitShape<typeof ReceiptSchema> {
  return {
    leafIndex: BigInt(receipt.leafIndex),
    leaf: receipt.leaf as Uint8Array<ArrayBuffer>,
    treeSize: BigInt(receipt.treeSize),
    inclusionHashes: [...receipt.hashes] as Uint8Array<ArrayBuffer>[],
    checkpoint: receipt.checkpoint,
    tlogProof: receipt.tlogProof,
    ...(receipt.salt === null ? {} : { salt: receipt.salt as Uint8Array<ArrayBuffer> }),
  };
}

const KINDS = { taint: EntryKind.TAINT, key: EntryKind.KEY, loss: EntryKind.LOSS } as const;

/** An entry; its content and salt only where `withContent` is set and they have not been erased. */
export function writeEntry(record: LedgerRecord, withContent: boolean): MessageInitShape<typeof EntrySchema> {
  const leaf = readLeaf(record);
  const { content, salt } = record;
  const text = withContent && content !== null ? Buffer.from(content) : undefined;
  const isOfTask = leaf.type === undefined || leaf.type === 'taint';
  const task = isOfTask ? { jti: leaf.jti ?? '', wid: leaf.wid ?? '' } : { jti: '', wid: '' };
  return {
    index: BigInt(record.index),
    ...task,
    iss: leaf.iss,
    kid: leaf.type === 'loss' ? '' : (leaf.kid ?? ''),
    recordedAt: timestampFromMs(record.recordedAtMs),
    leaf: record.leaf as Uint8Array<ArrayBuffer>,
    ...(withContent && salt !== null ? { salt: salt as Uint8Array<ArrayBuffer> } : {}),
    ...(leaf.type !== undefined
      ? { kind: KINDS[leaf.type], ...(text === undefined ? {} : { statement: text.toString('utf8') }) }
      : {
          kind: EntryKind.TASK,
          pred: [...leaf.pred],
          iat: BigInt(leaf.iat),
          level: Level[leaf.level],
          ...(text === undefined ? {} : { token: text.toString('latin1') }),
        }),
  };
}

export function writeAppended({
  record,
  receipt,
  duplicate,
}: Appended): MessageInitShape<typeof AppendLedgerResponseSchema> {
  return { entry: writeEntry(record, true), receipt: writeReceipt(receipt), duplicate };
}

/** What an append would do: nothing of it is done. */
export function writeAppendRehearsal({
  verdict,
  known,
}: AppendRehearsal): MessageInitShape<typeof AppendLedgerResponseSchema> {
  const checks = writeVerdictChecks(verdict);
  if (known === undefined) return { checks };
  return { entry: writeEntry(known.record, true), receipt: writeReceipt(known.receipt), duplicate: true, checks };
}

export function writeIssued(issued: Issued, details?: DetailRoom): MessageInitShape<typeof IssueResponseSchema> {
  const { token, level, claims, kid, dag, receipt } = issued;
  return {
    token,
    claims: writeClaims(claims),
    kid,
    level: Level[level],
    ...(receipt === undefined ? {} : { receipt: writeReceipt(receipt) }),
    ...(dag === undefined ? {} : { dag: writeReport(dag, details) }),
  };
}

/** What Issue would do. */
export function writeIssueRehearsal(
  rehearsal: IssueRehearsal,
  details?: DetailRoom,
): MessageInitShape<typeof IssueResponseSchema> {
  const { claims, kid, level, dag } = rehearsal;
  return {
    kid,
    level: Level[level],
    checks: writeChecks(ISSUE_STEPS, rehearsal),
    ...(claims === undefined ? {} : { claims: writeClaims(claims) }),
    ...(dag === undefined ? {} : { dag: writeReport(dag, details) }),
  };
}

/** The first whole millisecond at or after a timestamp; undefined for none. */
export function millisecondsOf(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : Number(timestamp.seconds) * 1000 + Math.ceil(timestamp.nanos / 1e6);
}
