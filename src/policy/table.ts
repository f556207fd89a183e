// The limits file: the groups of callers, and the conditions of permissions besides the policy. Strict JSON; every mistake is reported
// with its position.

import type { Caller, Obligations } from '../authority/index.ts';
import {
  isWorkloadId,
  type JsonObject,
  type JsonValue,
  parseStrictObject,
  strictJsonProblem,
  trustDomainOf,
} from '../token/index.ts';
import { ADMINISTRATORS } from './entities.ts';
import { demandMembers, isObject, type Report } from './json-members.ts';

/** The callers that a row or a group names. Each names one kind of caller. */
type Subject =
  | { readonly kind: 'workload'; readonly id: string }
  | { readonly kind: 'trust_domain'; readonly id: string }
  | { readonly kind: 'oidc'; readonly id: string }
  | { readonly kind: 'provider'; readonly id: string }
  | { readonly kind: 'group'; readonly id: string }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'everyone' };

interface Row {
  readonly subject: Subject;
  readonly obligations: Obligations;
}

export interface LimitsTable {
  /** The groups of a caller in the file. */
  groupsOf(caller: Caller): readonly string[];
  /** The limits of the first row that names the caller, which is in these groups. */
  obligationsOf(caller: Caller, groups: readonly string[]): Obligations;
}

export type ReadLimits =
  | { readonly ok: true; readonly table: LimitsTable }
  | { readonly ok: false; readonly problems: readonly string[] };

const NONE: Obligations = {};
const MAX_TTL_SECONDS = 86_400;

/** Used without a file: no groups, no limits. */
export const NO_LIMITS: LimitsTable = { groupsOf: () => [], obligationsOf: () => NONE };

export function readLimits(text: string): ReadLimits {
  const parsed = parseStrictObject(text);
  if (!parsed.ok) return { ok: false, problems: [strictJsonProblem(text, parsed.fault)] };
  const problems: string[] = [];
  const report: Report = (place, rule) => problems.push(`${place}: ${rule}.`);
  demandMembers(parsed.value, ['groups', 'limits'], 'the file', report);
  const groups = readGroups(parsed.value['groups'] ?? {}, report);
  const rows = readRows(parsed.value['limits'] ?? [], groups, report);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, table: tableOf(groups, rows) };
}

function tableOf(groups: ReadonlyMap<string, readonly Subject[]>, rows: readonly Row[]): LimitsTable {
  return {
    groupsOf: (caller) =>
      [...groups].filter(([, members]) => members.some((member) => names(member, caller, []))).map(([name]) => name),
    obligationsOf: (caller, own) => rows.find(({ subject }) => names(subject, caller, own))?.obligations ?? NONE,
  };
}

/** Whether a subject names a caller. A name of one kind never matches a caller of another kind. */
function names(subject: Subject, caller: Caller, groups: readonly string[]): boolean {
  switch (subject.kind) {
    case 'everyone':
      return true;
    case 'anonymous':
      return caller.kind === 'anonymous';
    case 'group':
      return groups.includes(subject.id);
    case 'workload':
      return caller.kind === 'spiffe' && caller.id === subject.id;
    case 'trust_domain':
      return caller.kind === 'spiffe' && trustDomainOf(caller.id) === subject.id;
    case 'oidc':
      return caller.kind === 'oidc' && caller.id === subject.id;
    case 'provider':
      return caller.kind === 'oidc' && caller.proof.by === subject.id;
  }
}

function readGroups(value: JsonValue, report: Report): ReadonlyMap<string, readonly Subject[]> {
  const groups = new Map<string, readonly Subject[]>();
  if (!isObject(value)) {
    report('groups', 'must be an object of lists');
    return groups;
  }
  for (const [name, members] of Object.entries(value)) {
    const place = `groups.${JSON.stringify(name)}`;
    if (name === ADMINISTRATORS) report(place, 'is the group of those whom ECT_ADMINS names: choose another name');
    if (!isList(members)) {
      report(place, 'must be a list');
      continue;
    }
    const subjects = members.map((member, at) => readSubject(member, `${place}[${at}]`, report));
    for (const [at, subject] of subjects.entries()) {
      if (subject?.kind === 'group') report(`${place}[${at}]`, 'a group is in no other group');
    }
    groups.set(
      name,
      subjects.filter((subject) => subject !== undefined),
    );
  }
  return groups;
}

function readRows(value: JsonValue, groups: ReadonlyMap<string, unknown>, report: Report): readonly Row[] {
  if (!isList(value)) {
    report('limits', 'must be a list');
    return [];
  }
  return value.flatMap((row, at) => {
    const place = `limits[${at}]`;
    if (!isObject(row)) {
      report(place, 'must be an object');
      return [];
    }
    demandMembers(row, ['for', ...Object.keys(LIMITS)], place, report);
    const subject = readSubject(row['for'] ?? null, `${place}.for`, report);
    if (subject?.kind === 'group' && subject.id !== ADMINISTRATORS && !groups.has(subject.id)) {
      report(`${place}.for`, `there is no group ${JSON.stringify(subject.id)}`);
    }
    const obligations = readObligations(row, place, report);
    return subject === undefined ? [] : [{ subject, obligations }];
  });
}

/** The members of a row: their internal names, and their permitted values. */
const LIMITS = {
  max_ttl_seconds: { name: 'maxTtlSeconds', least: 1, most: MAX_TTL_SECONDS },
  minimum_level: { name: 'minimumLevel', least: 1, most: 3 },
  calls_per_second: { name: 'callsPerSecond', least: 1, most: 1_000_000 },
  burst: { name: 'burst', least: 1, most: 1_000_000 },
  concurrent_calls: { name: 'concurrentCalls', least: 1, most: 1_000_000 },
} as const satisfies Record<
  string,
  { readonly name: keyof Obligations; readonly least: number; readonly most: number }
>;

const LEVELS: Readonly<Record<string, number>> = { L1: 1, L2: 2, L3: 3 };

function readObligations(row: JsonObject, place: string, report: Report): Obligations {
  const obligations: { -readonly [Name in keyof Obligations]: number } = {};
  for (const [member, { name, least, most }] of Object.entries(LIMITS)) {
    const text = row[member];
    if (text === undefined) continue;
    const value = member === 'minimum_level' && typeof text === 'string' ? LEVELS[text] : text;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
      obligations[name] = value;
    else
      report(
        `${place}.${member}`,
        member === 'minimum_level' ? 'must be "L1", "L2" or "L3"' : wholeNumber(least, most),
      );
  }
  if (obligations.burst !== undefined && obligations.callsPerSecond === undefined) {
    report(`${place}.burst`, 'needs calls_per_second');
  }
  return obligations;
}

function wholeNumber(least: number, most: number): string {
  return `must be a whole number from ${least} to ${most}`;
}

const SUBJECTS = ['workload', 'trust_domain', 'oidc', 'provider', 'group'] as const;
const RULE =
  'must be {"workload": "spiffe://…"}, {"trust_domain": …}, {"oidc": …}, {"provider": …}, {"group": …}, "anonymous" or "everyone"';

function readSubject(value: JsonValue, place: string, report: Report): Subject | undefined {
  if (value === 'anonymous' || value === 'everyone') return { kind: value };
  const [entry, ...more] = isObject(value) ? Object.entries(value) : [];
  const kind = SUBJECTS.find((name) => name === entry?.[0]);
  const id = entry?.[1];
  if (kind === undefined || typeof id !== 'string' || id === '' || more.length > 0) {
    report(place, RULE);
    return undefined;
  }
  if (kind === 'workload' && !isWorkloadId(id)) {
    report(place, 'workload must be a SPIFFE ID');
    return undefined;
  }
  return { kind, id };
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
