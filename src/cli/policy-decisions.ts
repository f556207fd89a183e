// Evaluates a policy for `ect policy`: reads its files, makes one decision, and explains it.

import { brokenObligation, type Obligations, type PermissionQuestion } from '../authority/index.ts';
import {
  type AskedCase,
  type CompiledPolicy,
  type LimitsTable,
  loadCedar,
  NO_LIMITS,
  PolicyAuthorizer,
  readCases,
  readLimits,
} from '../policy/index.ts';
import { mistakeCount, Rejected } from './exit.ts';
import { columns, type Io, paint, plain, print } from './output.ts';
import { readBytes } from './values.ts';

/** The default of ECT_ISSUER. */
export const DEFAULT_ISSUER = 'urn:ect:dev';

/** A decision and what it is based on. */
export interface Explained {
  readonly allowed: boolean;
  readonly policies: readonly string[];
  readonly errors: readonly string[];
  readonly limits: Obligations;
  /** Why the limits deny what the policies permit. */
  readonly beyond: string | undefined;
}

/** Decides as a service with this policy does. */
export function decide(
  policy: CompiledPolicy,
  limits: LimitsTable,
  asked: AskedCase,
  issuer = DEFAULT_ISSUER,
): Explained {
  const { caller, isAdministrator } = asked;
  const authorizer = new PolicyAuthorizer(
    { issuer, isAdministrator: () => isAdministrator, onRejected: () => undefined },
    { policy, limits, digest: '' },
  );
  const obligations = authorizer.obligationsOf(caller);
  const question = asked.namesTtl ? asked.question : shortened(asked.question, obligations);
  const { allowed, policies, errors } = authorizer.authorize(caller, question);
  const beyond =
    allowed && question.action === 'Issue' ? brokenObligation(question.context, obligations)?.message : undefined;
  return { allowed: allowed && beyond === undefined, policies, errors, limits: obligations, beyond };
}

/** Returns the question with the maximum lifetime that the limits allow, as the service does if the caller requests no lifetime. */
function shortened(question: PermissionQuestion, { maxTtlSeconds }: Obligations): PermissionQuestion {
  const { ttl } = question.context;
  if (ttl === undefined || maxTtlSeconds === undefined) return question;
  return { ...question, context: { ...question.context, ttl: Math.min(ttl, maxTtlSeconds) } };
}

export function printDecision(io: Io, policy: CompiledPolicy, decision: Explained): void {
  const { allowed, policies, limits } = decision;
  const mark = allowed ? paint(io.stdout, 'green', '✓') : paint(io.stdout, 'red', '✗');
  print(io, `${mark} ${plain(verdict(decision))}`);
  for (const { text } of policy.policies.filter(({ id }) => policies.includes(id))) {
    print(io);
    for (const line of text.trim().split('\n')) print(io, `  ${plain(line)}`);
  }
  const rows = limitRows(limits).map(([name, value]) => [name, String(value)] as const);
  if (rows.length > 0) print(io);
  for (const line of rows.length === 0 ? [] : columns(rows)) print(io, line);
}

/** Returns the limits with their names in the file. */
export function limitRows(limits: Obligations): readonly (readonly [name: string, value: number])[] {
  return Object.entries(limits).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value as number] as const],
  );
}

export function verdict({ allowed, policies, errors, beyond }: Explained): string {
  const failed = errors.length === 0 ? '' : ` (not evaluated: ${errors.join('; ')})`;
  if (beyond !== undefined) return `denied by the limits: ${beyond}${failed}`;
  if (allowed) return `allowed by ${policies.join(', ')}${failed}`;
  return policies.length === 0 ? `denied: nothing permits it${failed}` : `denied by ${policies.join(', ')}${failed}`;
}

interface FileNames {
  readonly limits?: string;
  /** The file of test cases. */
  readonly cases?: string;
}

/** Reads the policy, its limits and its cases. Reports the faults of all of them at once. */
export async function readFiles(io: Io, file: string, { limits: limitsFile, cases: casesFile }: FileNames) {
  const { readPolicy } = await loadCedar();
  const policy = readPolicy(await textOf(io, file));
  const limits = limitsFile === undefined ? NONE : readLimits(await textOf(io, limitsFile));
  const cases = casesFile === undefined ? NO_CASES : readCases(await textOf(io, casesFile));
  if (policy.ok && limits.ok && cases.ok) {
    return {
      policy: policy.policy,
      warnings: policy.warnings,
      limits: limits.table,
      issuer: cases.issuer,
      cases: cases.cases,
    };
  }
  throw mistakes([
    ...(policy.ok ? [] : policy.problems).map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`),
    ...(limits.ok ? [] : limits.problems).map((problem) => placed(limitsFile ?? '', problem)),
    ...(cases.ok ? [] : cases.problems).map((problem) => placed(casesFile ?? '', problem)),
  ]);
}

const NONE = { ok: true, table: NO_LIMITS } as const;
const NO_CASES = { ok: true, issuer: undefined, cases: [] } as const;

async function textOf(io: Io, file: string): Promise<string> {
  return (await readBytes(io, file)).toString('utf8');
}

/** Adds the file name to a problem. A position in a JSON file is a line and a column, or a member: `limits[0].for`. */
function placed(file: string, problem: string): string {
  return /^\d+:\d+: /.test(problem) ? `${file}:${problem}` : `${file}: ${problem}`;
}

function mistakes(faults: readonly string[]): Rejected {
  return new Rejected({
    reason: 'policy_invalid',
    message: mistakeCount(faults.length),
    faults,
    remedy: `Correct ${faults.length === 1 ? 'it' : 'them'}; docs/policy.md explains the files, and \`ect policy print --schema\` prints the schema.`,
    metadata: {},
  });
}
