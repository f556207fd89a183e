// Requests in JSON: the test cases of a policy, and the input of `ect policy explain`.

import {
  ACTIONS,
  type Action,
  type AskedEntry,
  type Caller,
  type PermissionQuestion,
  type Proof,
  proofBy,
} from '../authority/index.ts';
import {
  isWorkloadId,
  type JsonObject,
  type JsonValue,
  parseStrictObject,
  strictJsonProblem,
  trustDomainOf,
} from '../token/index.ts';
import { demandMembers, isObject, type Report } from './json-members.ts';

/** A caller. */
export interface AskedCase {
  readonly caller: Caller;
  /** Whether ECT_ADMINS names the caller. */
  readonly isAdministrator: boolean;
  /** Whether the request has a lifetime. Otherwise it gets the default, which limits shorten. */
  readonly namesTtl: boolean;
  readonly question: PermissionQuestion;
}

/** The same with the expected decision. */
export interface Case extends AskedCase {
  readonly name: string;
  readonly allowed: boolean;
  /** The policies that must have decided; undefined: any. */
  readonly by: readonly string[] | undefined;
}

export type ReadCases =
  | { readonly ok: true; readonly issuer: string | undefined; readonly cases: readonly Case[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The members of a request. */
const QUESTION = ['caller', 'administrator', 'action', 'iss', 'aud', 'exec_act', 'wid', 'ttl', 'level'] as const;
const MORE = ['inp_hash', 'out_hash', 'owns_workflow', 'kind', 'proof', 'proof_by'] as const;
const EXPECTATION = ['name', 'expect', 'by'] as const;
/** The default lifetime: that of the service. */
const DEFAULT_TTL_SECONDS = 600;

/** Reads a file of cases: `{"issuer": …, "cases": […]}`. */
export function readCases(text: string): ReadCases {
  const parsed = parseStrictObject(text);
  if (!parsed.ok) return { ok: false, problems: [strictJsonProblem(text, parsed.fault)] };
  const problems: string[] = [];
  const report: Report = (place, rule) => problems.push(`${place}: ${rule}.`);
  demandMembers(parsed.value, ['issuer', 'cases'], 'the file', report);
  const { issuer, cases } = parsed.value;
  if (issuer !== undefined && typeof issuer !== 'string') report('issuer', 'must be a text');
  if (!Array.isArray(cases) || cases.length === 0) {
    report('cases', 'must be a list that is not empty');
    return { ok: false, problems };
  }
  const read = (cases as readonly JsonValue[]).map((value, at) => readCase(value, `cases[${at}]`, report));
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    issuer: typeof issuer === 'string' ? issuer : undefined,
    cases: read.filter((each) => each !== undefined),
  };
}

function readCase(value: JsonValue, place: string, report: Report): Case | undefined {
  if (!isObject(value)) {
    report(place, 'must be an object');
    return undefined;
  }
  const { name, expect, by } = value;
  demandMembers(value, [...EXPECTATION, ...QUESTION, ...MORE], place, report);
  if (expect !== 'allow' && expect !== 'deny') report(`${place}.expect`, 'must be "allow" or "deny"');
  const isIds = Array.isArray(by) && (by as readonly JsonValue[]).every((id) => typeof id === 'string');
  if (by !== undefined && !isIds) report(`${place}.by`, 'must be a list of the ids of policies');
  const asked = questionOf(value, place, report);
  return (
    asked && {
      ...asked,
      name: typeof name === 'string' ? name : place,
      allowed: expect === 'allow',
      by: isIds ? (by as readonly string[]).toSorted() : undefined,
    }
  );
}

/** Reads one request, or returns all of its mistakes. */
export function readQuestion(value: JsonObject): AskedCase | readonly string[] {
  const problems: string[] = [];
  const asked = questionOf(value, 'the question', (place, rule) => problems.push(`${place}: ${rule}.`));
  return asked === undefined || problems.length > 0 ? problems : asked;
}

function questionOf(value: JsonObject, place: string, report: Report): AskedCase | undefined {
  const caller = readCaller(value, place, report);
  const action = ACTIONS.find((name) => name === value['action']);
  if (action === undefined) report(`${place}.action`, `must be one of ${ACTIONS.join(', ')}`);
  const text = (name: string) => readAs(value[name] ?? '', 'string', `${place}.${name}`, report) ?? '';
  const flag = (name: string) => readAs(value[name] ?? false, 'boolean', `${place}.${name}`, report) ?? false;
  const facts: Facts = {
    iss: text('iss'),
    aud: readList(value['aud'] ?? [], `${place}.aud`, report),
    exec_act: text('exec_act'),
    wid: text('wid'),
    ttl: readAs(value['ttl'] ?? DEFAULT_TTL_SECONDS, 'number', `${place}.ttl`, report) ?? 0,
    level: readLevel(value['level'] ?? 'L2', `${place}.level`, report),
    inp_hash: flag('inp_hash'),
    out_hash: flag('out_hash'),
    owns_workflow: flag('owns_workflow'),
    kind: readKind(value['kind'] ?? 'task', `${place}.kind`, report),
  };
  const isAdministrator = flag('administrator');
  if (caller === undefined || action === undefined) return undefined;
  const namesTtl = value['ttl'] !== undefined;
  return { caller, isAdministrator, namesTtl, question: questionAbout(action, caller, facts) };
}

interface Facts {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly exec_act: string;
  readonly wid: string;
  readonly ttl: number;
  readonly level: number;
  readonly inp_hash: boolean;
  readonly out_hash: boolean;
  readonly owns_workflow: boolean;
  readonly kind: AskedEntry['kind'];
}

/** The request in the form of the service. The default `iss` is the name of the caller. */
function questionAbout(action: Action, caller: Caller, facts: Facts): PermissionQuestion {
  const { aud, exec_act, wid, ttl, level, inp_hash, out_hash, owns_workflow, kind } = facts;
  const iss = facts.iss === '' && caller.kind !== 'anonymous' ? caller.id : facts.iss;
  switch (action) {
    case 'Issue':
      return {
        action,
        resource: { kind: 'issuer', iss },
        context: { iss, aud, exec_act, wid, ttl, level, inp_hash, out_hash },
      };
    case 'AppendLedger':
      return { action, resource: { kind: 'ledger' }, context: { iss, aud, exec_act, wid } };
    case 'Verify':
      return { action, resource: { kind: 'authority' }, context: { aud } };
    case 'ValidateDAG':
      return {
        action,
        resource: wid === '' ? { kind: 'authority' } : { kind: 'workflow', wid },
        context: { owns_workflow },
      };
    case 'GetWorkflow':
      return { action, resource: { kind: 'workflow', wid }, context: { owns_workflow } };
    case 'GetEntry':
    case 'GetRecording':
    case 'ListEntries':
    case 'GetInclusionProof':
      return { action, resource: { kind: 'entry', entry: { kind, iss, wid } }, context: { owns_workflow } };
    case 'GetCheckpoint':
    case 'GetConsistencyProof':
      return { action, resource: { kind: 'ledger' }, context: {} };
    default:
      return { action, resource: { kind: 'authority' }, context: {} };
  }
}

/** The caller and its proof: for a workload its certificate, by default. */
function readCaller(question: JsonObject, place: string, report: Report): Caller | undefined {
  const { caller, proof, proof_by } = question;
  if (caller === 'anonymous') return { kind: 'anonymous' };
  const [entry, ...more] = caller !== undefined && isObject(caller) ? Object.entries(caller) : [];
  const [kind, id] = entry ?? [];
  const by = readAs(proof_by ?? '', 'string', `${place}.proof_by`, report) ?? '';
  if (kind === 'workload' && typeof id === 'string' && isWorkloadId(id) && more.length === 0) {
    const method = readProof(proof ?? 'mtls', `${place}.proof`, report);
    return { kind: 'spiffe', id, proof: proofBy(method, by === '' ? trustDomainOf(id) : by) };
  }
  if (kind === 'oidc' && typeof id === 'string' && OIDC_NAME.test(id) && more.length === 0) {
    return { kind: 'oidc', id, proof: proofBy(readProof(proof ?? 'jwt', `${place}.proof`, report), by) };
  }
  report(`${place}.caller`, 'must be {"workload": "spiffe://…"}, {"oidc": "https://…"} or "anonymous"');
  return undefined;
}

/** Whether a text names a caller: a workload, an OIDC subject, or the anonymous caller. */
export function isCallerName(text: string): boolean {
  return text === 'anonymous' || isWorkloadId(text) || OIDC_NAME.test(text);
}

/** A URI that is not a SPIFFE ID. */
const OIDC_NAME = /^(?!spiffe:)[A-Za-z][A-Za-z0-9+.-]*:\S+$/i;

const PROOFS = ['mtls', 'jwt', 'wimse', 'forwarded', 'unix'] as const satisfies readonly Proof['method'][];

function readProof(value: JsonValue, place: string, report: Report): Proof['method'] {
  const method = PROOFS.find((name) => name === value);
  if (method === undefined) report(place, `must be one of ${PROOFS.join(', ')}`);
  return method ?? 'mtls';
}

const LEVELS: Readonly<Record<string, number>> = { L1: 1, L2: 2, L3: 3 };

function readLevel(value: JsonValue, place: string, report: Report): number {
  const level = typeof value === 'string' ? LEVELS[value] : undefined;
  if (level === undefined) report(place, 'must be "L1", "L2" or "L3"');
  return level ?? 0;
}

function readKind(value: JsonValue, place: string, report: Report): AskedEntry['kind'] {
  if (value === 'task' || value === 'taint' || value === 'key' || value === 'loss') return value;
  report(place, 'must be "task", "taint", "key" or "loss"');
  return 'task';
}

interface Types {
  readonly string: string;
  readonly boolean: boolean;
  readonly number: number;
}

function readAs<T extends keyof Types>(value: JsonValue, type: T, place: string, report: Report): Types[T] | undefined {
  if (typeof value === type) return value as Types[T];
  report(place, `must be a ${type}`);
  return undefined;
}

function readList(value: JsonValue, place: string, report: Report): readonly string[] {
  if (Array.isArray(value) && (value as readonly JsonValue[]).every((item) => typeof item === 'string')) {
    return value as readonly string[];
  }
  report(place, 'must be a list of texts');
  return [];
}
