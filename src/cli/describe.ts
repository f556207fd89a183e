// Messages of the API as lines for people.

import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { ErrorReasonSchema } from '../gen/ect/v1/error_reason_pb.ts';
import {
  type Check,
  CheckStatus,
  type Claims,
  type DagReport,
  DagStatus,
  type Finding,
  Level,
  type PolicyClaims,
  type Taint,
  TaintSource,
  type TaskName,
} from '../gen/ect/v1/token_pb.ts';
import { type Io, paint, plain, utc } from './output.ts';
import { inOptions, remedyInOptions } from './request-fields.ts';

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
    ['iat', timeText(claims.iat)],
    ['exp', timeText(claims.exp)],
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
    ['pol_timestamp', timeText(policy.polTimestamp)],
    ['compensation_required', policy.compensationRequired ? 'true' : ''],
    ['compensation_reason', policy.compensationReason],
  ];
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? '' : utc(time.seconds);
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
    const { finding, rule } = check;
    const fields = claimsIn(finding?.message ?? '');
    return [
      `${paint(io.stdout, 'red', `✗ ${name}`)}  ${finding ? reasonName(finding) : ''}`,
      ...(finding?.message ? [`    ${plain(inOptions(io, finding.message, fields))}`] : []),
      ...(rule === '' ? [] : [`    rule: ${plain(rule)}`]),
      ...(finding?.remedy ? [`    next: ${plain(remedyInOptions(io, finding.remedy, fields))}`] : []),
    ];
  });
}

/** The claims, and so the fields of a request to issue, that a finding names: each sentence begins with one. */
function claimsIn(message: string): readonly string[] {
  return Array.from(message.matchAll(/(?:^|\. )([a-z_]+(?:\[\d+\])?) must /g), ([, claim = '']) => claim);
}

/** A reason as errors spell it; a newer service may have one that is not known here. */
export function reasonName({ reason }: Finding): string {
  return ErrorReasonSchema.value[reason]?.localName ?? `reason ${reason}`;
}

/** The `jti` of each. */
export function taskNames(tasks: readonly TaskName[]): string {
  return tasks.map(({ jti }) => jti).join(' ');
}

/** Whether no step failed. */
export function holds(checks: readonly Check[]): boolean {
  return checks.every(({ status }) => status !== CheckStatus.FAIL);
}

/** The result of a dry run. */
export function dryRunLine(checks: readonly Check[]): string {
  return holds(checks)
    ? '✓ dry run: nothing was signed or recorded'
    : '✗ dry run: it would be rejected; nothing was signed or recorded';
}

type Findings = Pick<DagReport, 'violations' | 'unresolved' | 'tainted' | 'omitted'>;

/** What is wrong with a graph, missing from it, or to be reviewed: one line each. Empty for a graph without any of it. */
export function dagLines({ violations, unresolved, tainted, omitted }: Findings): readonly string[] {
  return [
    ...violations.map((broken) => {
      const { finding, tasks } = broken;
      const named = tasks.length === 0 ? '' : ` [${taskNames(tasks)}]`;
      return `✗ ${finding ? reasonName(finding) : ''}: ${plain((finding?.message ?? '') + named)}`;
    }),
    ...unresolved.map(({ jti }) => `? ${plain(jti)} was not found`),
    ...tainted.map(
      (taint) =>
        `! ${plain(`${taint.task?.jti ?? ''} is tainted: ${sourceOf(taint)}`)} (marked at index ${taint.entryIndex})`,
    ),
    ...(omitted > 0 ? [`… and ${omitted} more`] : []),
  ];
}

function sourceOf({ source, ancestor, kid }: Taint): string {
  const origin = source === TaintSource.ANCESTOR ? `it comes after ${ancestor?.jti ?? ''}, which` : 'it';
  return kid === '' ? `${origin} was marked as compromised` : `${origin} was signed with the compromised key ${kid}`;
}

const DAG_STATUS_NAMES: Readonly<Record<DagStatus, string>> = {
  [DagStatus.UNSPECIFIED]: 'not examined',
  [DagStatus.COMPLETE]: 'complete',
  [DagStatus.PARTIAL]: 'partial',
  [DagStatus.INVALID]: 'invalid',
};

export function dagStatusName(status: DagStatus): string {
  return DAG_STATUS_NAMES[status] ?? 'unknown';
}

const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  [Level.UNSPECIFIED]: 'without a level',
  [Level.L1]: 'L1',
  [Level.L2]: 'L2',
  [Level.L3]: 'L3',
};

export function levelName(level: Level): string {
  return LEVEL_NAMES[level] ?? 'unknown';
}
