// Formats messages of the API as lines of text.

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

/** Returns the rows of the claims of a token. Absent claims have empty values. */
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

/** Returns one row for each policy claim, wherever the draft of the token has it. */
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

/** Returns the position of an entry, counted from 1, and its index, which commands and proofs use. */
export function placeLine(index: bigint | number, size: bigint | number): string {
  return `entry ${BigInt(index) + 1n} of ${size} (index ${index})`;
}

/** Returns one line for each verification step, with the remedy if it failed. */
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

/** Returns the claims that a finding names, which are the fields of the Issue request. Each sentence of a finding begins with one. */
function claimsIn(message: string): readonly string[] {
  return Array.from(message.matchAll(/(?:^|\. )([a-z_]+(?:\[\d+\])?) must /g), ([, claim = '']) => claim);
}

/** Returns the name of a reason. A newer service may send a reason that is unknown here. */
export function reasonName({ reason }: Finding): string {
  return ErrorReasonSchema.value[reason]?.localName ?? `reason ${reason}`;
}

/** Returns the `jti` of each task. */
export function taskNames(tasks: readonly TaskName[]): string {
  return tasks.map(({ jti }) => jti).join(' ');
}

/** Whether all steps succeeded. */
export function holds(checks: readonly Check[]): boolean {
  return checks.every(({ status }) => status !== CheckStatus.FAIL);
}

/** Returns the result of a dry run as a line. */
export function dryRunLine(checks: readonly Check[]): string {
  return holds(checks)
    ? '✓ dry run: nothing was signed or recorded'
    : '✗ dry run: it would be rejected; nothing was signed or recorded';
}

type Findings = Pick<DagReport, 'violations' | 'unresolved' | 'tainted' | 'omitted'>;

/** Returns a line for each violation, missing task and task to review of a graph. Empty if there are none. */
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
