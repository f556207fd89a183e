// Messages of the API as lines for people.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Entry, EntryKind, type Receipt } from '../gen/ect/v1/ledger_pb.ts';
import {
  type Check,
  CheckStatus,
  type Claims,
  type DagReport,
  DagStatus,
  Level,
  type PolicyClaims,
  type Taint,
  TaintSource,
} from '../gen/ect/v1/token_pb.ts';
import { type Io, paint, plain, utc } from './output.ts';

type Row = readonly [name: string, value: string];

/** The rows of a token's claims. Absent claims have empty values. */
export function claimRows(claims: Claims): readonly Row[] {
  return [
    ['exec_act', claims.execAct],
    ['iss', claims.iss],
    ['aud', claims.aud.join(' ')],
    ['jti', claims.jti],
    ['wid', claims.wid],
    ['pred', claims.pred.join(' ')],
    ['iat', utc(claims.iat)],
    ['exp', utc(claims.exp)],
    ['inp_hash', claims.inpHash],
    ['out_hash', claims.outHash],
    ['ect_ext', claims.ectExt === undefined ? '' : JSON.stringify(claims.ectExt)],
    ...(claims.policy === undefined ? [] : policyRows(claims.policy)),
  ];
}

/** A claim of its own each, wherever the draft of the token puts it. */
function policyRows(policy: PolicyClaims): readonly Row[] {
  return [
    ['pol', policy.pol],
    ['pol_decision', policy.polDecision],
    ['pol_enforcer', policy.polEnforcer],
    ['pol_timestamp', policy.polTimestamp === undefined ? '' : utc(policy.polTimestamp)],
    ['compensation_required', policy.compensationRequired ? 'true' : ''],
    ['compensation_reason', policy.compensationReason],
  ];
}

const KIND_NAMES: Readonly<Record<EntryKind, string>> = {
  [EntryKind.UNSPECIFIED]: 'unknown',
  [EntryKind.TASK]: 'task',
  [EntryKind.TAINT]: 'compromised',
  [EntryKind.KEY]: 'signing key',
  [EntryKind.LOSS]: 'accepted loss',
};

/** What an entry is: `task`, or of a signing key what became of it: `key announced`, `key revoked`. */
export function kindName({ kind, leaf }: Entry): string {
  const state = kind === EntryKind.KEY ? keyStateIn(leaf) : undefined;
  return state === undefined ? (KIND_NAMES[kind] ?? 'unknown') : `key ${state}`;
}

/** The leaf is what somebody else wrote: undefined where it says nothing that could be a state. */
function keyStateIn(leaf: Uint8Array): string | undefined {
  try {
    const { state } = JSON.parse(Buffer.from(leaf).toString('utf8')) as Readonly<Record<string, unknown>>;
    return typeof state === 'string' && /^[a-z]{1,20}$/.test(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

const AUTHOR_NAMES: Readonly<Partial<Record<EntryKind, string>>> = {
  [EntryKind.TASK]: 'iss',
  [EntryKind.TAINT]: 'marked by',
};

/** The rows of a ledger entry. */
export function entryRows(entry: Entry): readonly Row[] {
  const isTask = entry.kind === EntryKind.TASK;
  return [
    ['index', String(entry.index)],
    ['kind', isTask ? '' : kindName(entry)],
    ['jti', entry.jti],
    ['wid', entry.wid],
    [AUTHOR_NAMES[entry.kind] ?? 'by', entry.iss],
    ['pred', entry.pred.join(' ')],
    ['iat', isTask ? utc(entry.iat) : ''],
    ['kid', entry.kid],
    ['recorded', entry.recordedAt ? new Date(timestampMs(entry.recordedAt)).toISOString() : ''],
  ];
}

/** Where a receipt places its entry. */
export function receiptLine({ leafIndex, treeSize }: Receipt): string {
  return placeLine(leafIndex, treeSize);
}

/** Where an entry is, as people count, and the index that commands and proofs take. */
export function placeLine(index: bigint | number, size: bigint | number): string {
  return `entry ${BigInt(index) + 1n} of ${size} (index ${index})`;
}

/** One line a verification step, with what to do about it where it failed. */
export function checkLines(io: Io, checks: readonly Check[]): readonly string[] {
  return checks.flatMap((check) => {
    const name = plain(check.name);
    if (check.status === CheckStatus.PASS) return [`${paint(io.stdout, 'green', '✓')} ${name}`];
    if (check.status !== CheckStatus.FAIL) return [paint(io.stdout, 'dim', `– ${name}  not checked`)];
    return [
      `${paint(io.stdout, 'red', `✗ ${name}`)}  ${plain(check.reason)}`,
      ...(check.rule === '' ? [] : [`    rule: ${plain(check.rule)}`]),
      ...(check.remedy === '' ? [] : [`    next: ${plain(check.remedy)}`]),
    ];
  });
}

/** Whether no step failed. */
export function holds(checks: readonly Check[]): boolean {
  return checks.every(({ status }) => status !== CheckStatus.FAIL);
}

/** What a dry run came to. */
export function dryRunLine(checks: readonly Check[]): string {
  return holds(checks)
    ? '✓ dry run: nothing was signed or recorded'
    : '✗ dry run: it would be refused; nothing was signed or recorded';
}

type Findings = Pick<DagReport, 'violations' | 'unresolved' | 'tainted' | 'omitted'>;

/** What is wrong with a graph, missing from it, or to be reviewed: one line each. Empty for a graph without any of it. */
export function dagLines({ violations, unresolved, tainted, omitted }: Findings): readonly string[] {
  return [
    ...violations.map((broken) => {
      const tasks = broken.tasks.length === 0 ? '' : ` [${broken.tasks.join(' ')}]`;
      return `✗ ${plain(broken.reason)}: ${plain(broken.message + tasks)}`;
    }),
    ...unresolved.map((jti) => `? ${plain(jti)} was found nowhere`),
    ...tainted.map(
      (taint) => `! ${plain(`${taint.jti} is tainted: ${sourceOf(taint)}`)} (marked at index ${taint.entryIndex})`,
    ),
    ...(omitted > 0 ? [`… and ${omitted} more`] : []),
  ];
}

function sourceOf({ source, ancestor, kid }: Taint): string {
  const origin = source === TaintSource.ANCESTOR ? `it comes after ${ancestor}, which` : 'it';
  return kid === '' ? `${origin} was marked as compromised` : `${origin} was signed with the compromised key ${kid}`;
}

const DAG_STATUS_NAMES: Readonly<Record<DagStatus, string>> = {
  [DagStatus.UNSPECIFIED]: 'not looked at',
  [DagStatus.COMPLETE]: 'complete',
  [DagStatus.PARTIAL]: 'partial',
  [DagStatus.INVALID]: 'invalid',
};

export function dagStatusName(status: DagStatus): string {
  return DAG_STATUS_NAMES[status] ?? 'unknown';
}

const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  [Level.UNSPECIFIED]: 'of no stated level',
  [Level.L1]: 'L1',
  [Level.L2]: 'L2',
  [Level.L3]: 'L3',
};

export function levelName(level: Level): string {
  return LEVEL_NAMES[level] ?? 'unknown';
}
