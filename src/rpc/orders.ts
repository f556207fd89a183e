// Between messages and the domain: what comes in. Fields that the domain has no rule for are bounded here.

import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import type { DagSubject, IssueOrder, VerifyOrder } from '../authority/index.ts';
import type { Refusal } from '../errors.ts';
import {
  DagMode,
  GraphFormat,
  type IssueRequest,
  RecordMode,
  ReplayMode,
  type ValidateDAGRequest,
  VerifyMode,
  type VerifyRequest,
} from '../gen/ect/v1/authority_pb.ts';
import { Draft, Level } from '../gen/ect/v1/token_pb.ts';
import { hashClaim } from '../token/index.ts';
import { readExtension } from './extension.ts';
import { demand, invalid } from './invalid.ts';
import { MAX_BUNDLE_TOKENS, MAX_HANDED_ALONG } from './limits.ts';
import { demandList } from './lists.ts';
import { checkAll, faultsOf, type Reader, readAll } from './violations.ts';

const MAX_NAME_BYTES = 128;

/** What else is wrong with what was read. Asked only where a request is refused. */
type FaultsIn<Order> = (order: Order) => readonly Refusal[];
const noFaults = () => [];

export function readIssueOrder(request: IssueRequest, faultsIn: FaultsIn<IssueOrder> = noFaults): IssueOrder {
  return readAll(
    () => issueOrderOf(request),
    () => faultsOf(request, issueReaders(request), (legible) => faultsIn(issueOrderOf(legible))),
  );
}

function issueOrderOf(request: IssueRequest): IssueOrder {
  demandList('aud', request.aud);
  demandList('pred', request.pred);
  const level = readLevel('level', request.level) ?? 'L2';
  return {
    execAct: request.execAct,
    aud: request.aud,
    pred: request.pred,
    wid: request.wid,
    jti: request.jti,
    iss: request.iss,
    ttlSeconds: readTtl(request.ttl),
    inpHash: readBinding(request.inputBinding) ?? '',
    outHash: readBinding(request.outputBinding) ?? '',
    ext: readExtension(request.extension),
    draft: readDraft(request.draft, level),
    level,
    record: readRecordMode(request.recordMode, level),
    requestId: readRequestId(request.requestId),
  };
}

const NOTHING = { case: undefined } as const;
/** In the place of what cannot be read, so that it is not missed as well. */
const SOME_PARTY = 'urn:some:party';

/** The readers of the fields, each by itself. What depends on the level is judged as of L2 where that is wrong. */
function issueReaders(request: IssueRequest): readonly Reader<IssueRequest>[] {
  const level = LEVELS[request.level] ?? 'L2';
  return [
    { read: () => demandList('aud', request.aud), cleared: { aud: [SOME_PARTY] } },
    { read: () => demandList('pred', request.pred), cleared: { pred: [] } },
    { read: () => readLevel('level', request.level), cleared: { level: Level.UNSPECIFIED } },
    { read: () => readTtl(request.ttl), cleared: { ttl: undefined } },
    { read: () => readBinding(request.inputBinding), cleared: { inputBinding: NOTHING } },
    { read: () => readBinding(request.outputBinding), cleared: { outputBinding: NOTHING } },
    { read: () => readExtension(request.extension), cleared: { extension: NOTHING } },
    { read: () => readDraft(request.draft, level), cleared: { draft: Draft.UNSPECIFIED } },
    { read: () => readRecordMode(request.recordMode, level), cleared: { recordMode: RecordMode.UNSPECIFIED } },
    { read: () => readRequestId(request.requestId), cleared: { requestId: '' } },
  ];
}

export function readVerifyOrder(request: VerifyRequest, faultsIn: FaultsIn<VerifyOrder> = noFaults): VerifyOrder {
  return readAll(
    () => verifyOrderOf(request),
    () => faultsOf(request, verifyReaders(request), (legible) => faultsIn(verifyOrderOf(legible))),
  );
}

function verifyReaders(request: VerifyRequest): readonly Reader<VerifyRequest>[] {
  return [
    { read: () => demand(request.token !== '', 'token', 'is required'), cleared: { token: '-' } },
    { read: () => known('dag_mode', request.dagMode, DagMode), cleared: { dagMode: DagMode.UNSPECIFIED } },
    {
      read: () => known('replay_mode', request.replayMode, ReplayMode),
      cleared: { replayMode: ReplayMode.UNSPECIFIED },
    },
    {
      read: () => known('verify_mode', request.verifyMode, VerifyMode),
      cleared: { verifyMode: VerifyMode.UNSPECIFIED },
    },
    { read: () => readPredecessors(request.predecessorTokens), cleared: { predecessorTokens: [] } },
    { read: () => readDagMode(request), cleared: { dagMode: DagMode.UNSPECIFIED } },
    { read: () => readRequestId(request.requestId), cleared: { requestId: '' } },
    { read: () => readLevel('minimum_level', request.minimumLevel), cleared: { minimumLevel: Level.UNSPECIFIED } },
    { read: () => readAsOf(request.asOf), cleared: { asOf: undefined } },
    { read: () => readBinding(request.inputBinding), cleared: { inputBinding: NOTHING } },
    { read: () => readBinding(request.outputBinding), cleared: { outputBinding: NOTHING } },
  ];
}

function verifyOrderOf(request: VerifyRequest): VerifyOrder {
  known('dag_mode', request.dagMode, DagMode);
  known('replay_mode', request.replayMode, ReplayMode);
  known('verify_mode', request.verifyMode, VerifyMode);
  if (request.token === '') throw invalid('token', 'is required');
  return {
    token: request.token,
    audience: request.audience,
    predecessors: readPredecessors(request.predecessorTokens),
    dag: readDagMode(request),
    replay: readReplayMode(request.replayMode),
    requestId: readRequestId(request.requestId),
    minimumLevel: readLevel('minimum_level', request.minimumLevel),
    mode: request.verifyMode === VerifyMode.REPORT ? 'report' : 'enforce',
    asOf: readAsOf(request.asOf),
    ...readBindings(request),
  };
}

/** Reads a request of ValidateDAG. */
export function readDagSubject(request: ValidateDAGRequest): DagSubject {
  const { subject, predecessorTokens, graphFormat } = request;
  const isAlone = predecessorTokens.length === 0 || subject.case === 'token';
  checkAll(
    () => known('graph_format', graphFormat, GraphFormat),
    () => demand(isAlone, 'predecessor_tokens', 'go with token only'),
    () => readPredecessors(predecessorTokens),
    () => subjectOf(request),
  );
  return subjectOf(request);
}

function subjectOf({ subject, predecessorTokens }: ValidateDAGRequest): DagSubject {
  switch (subject.case) {
    case 'token':
      if (subject.value === '') throw invalid('token', 'is required');
      return { kind: 'token', token: subject.value, predecessors: predecessorTokens };
    case 'wid':
      if (subject.value === '') throw invalid('wid', 'is required');
      return { kind: 'workflow', wid: subject.value };
    case 'bundle': {
      const { tokens } = subject.value;
      demandList('bundle.tokens', tokens);
      if (tokens.length === 0 || tokens.length > MAX_BUNDLE_TOKENS) {
        throw invalid('bundle.tokens', `must have 1 to ${MAX_BUNDLE_TOKENS} tokens`);
      }
      return { kind: 'bundle', tokens };
    }
    default:
      throw invalid('subject', 'is required: token, wid or bundle');
  }
}

/** A name that a caller gives to a call or an item. */
export function readName(field: string, name: string): string {
  if (!isName(name)) throw invalid(field, `must have at most ${MAX_NAME_BYTES} bytes`);
  return name;
}

export function isName(name: string): boolean {
  return Buffer.byteLength(name) <= MAX_NAME_BYTES;
}

const enumNumbers = new WeakMap<object, ReadonlySet<number | string>>();

/** proto3 enums are open: a number that this service does not know is refused, not taken for the default. */
export function known(field: string, value: number, values: Readonly<Record<string, number | string>>): void {
  let numbers = enumNumbers.get(values);
  if (numbers === undefined) {
    numbers = new Set(Object.values(values));
    enumNumbers.set(values, numbers);
  }
  if (!numbers.has(value)) throw invalid(field, 'has a value that this service does not know');
}

function readPredecessors(tokens: readonly string[]): readonly string[] {
  demandList('predecessor_tokens', tokens);
  if (tokens.length > MAX_HANDED_ALONG) {
    throw invalid('predecessor_tokens', `must have at most ${MAX_HANDED_ALONG} tokens`);
  }
  return tokens;
}

/** The name of a request, under which what was done for it is remembered. */
export function readRequestId(id: string): string {
  if (!/^[\x21-\x7e]*$/.test(id)) throw invalid('request_id', 'must be printable ASCII without blanks');
  return readName('request_id', id);
}

function readTtl(ttl: Duration | undefined): number | undefined {
  if (ttl === undefined) return undefined;
  const seconds = Number(ttl.seconds);
  if (ttl.nanos !== 0 || seconds < 1) throw invalid('ttl', 'must be whole seconds, at least 1');
  return seconds;
}

const LEVELS: Readonly<Record<Level, IssueOrder['level'] | undefined>> = {
  [Level.UNSPECIFIED]: undefined,
  [Level.L1]: 'L1',
  [Level.L2]: 'L2',
  [Level.L3]: 'L3',
};

function readLevel(field: string, level: Level): IssueOrder['level'] | undefined {
  known(field, level, Level);
  return LEVELS[level];
}

function readDraft(draft: Draft, level: IssueOrder['level']): IssueOrder['draft'] {
  known('draft', draft, Draft);
  if (draft !== Draft.ECT_00) return '01';
  if (level === 'L1') throw invalid('draft', 'must be DRAFT_ECT_01 for level L1: draft -00 has no levels');
  return '00';
}

/** Whole seconds: what a fraction adds is cut, so that now is never in the future. */
function readAsOf(timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  const { seconds, nanos } = timestamp;
  if (seconds < 0n || seconds > BigInt(Number.MAX_SAFE_INTEGER) || nanos < 0 || nanos > 999_999_999) {
    throw invalid('as_of', 'must be a time since 1970');
  }
  return Number(seconds);
}

function readRecordMode(mode: RecordMode, level: IssueOrder['level']): IssueOrder['record'] {
  known('record_mode', mode, RecordMode);
  if (mode !== RecordMode.UNSPECIFIED && level !== 'L3') throw invalid('record_mode', 'goes with level L3 only');
  return mode === RecordMode.ASYNC ? 'async' : 'sync';
}

function readDagMode({ dagMode, predecessorTokens }: VerifyRequest): 'none' | 'partial' | 'complete' {
  switch (dagMode) {
    case DagMode.NONE:
      if (predecessorTokens.length > 0) {
        throw invalid('dag_mode', 'must not be NONE where predecessor_tokens are handed along');
      }
      return 'none';
    case DagMode.PARTIAL:
      return 'partial';
    case DagMode.COMPLETE:
      return 'complete';
    default:
      return predecessorTokens.length > 0 ? 'partial' : 'none';
  }
}

function readReplayMode(mode: ReplayMode): VerifyOrder['replay'] {
  if (mode === ReplayMode.SKIP) return 'skip';
  return mode === ReplayMode.OBSERVE ? 'observe' : 'record';
}

/** A verifier hashes octets once it knows under which hash the token binds them. */
function readBindings(request: VerifyRequest): Pick<VerifyOrder, 'inputHash' | 'outputHash' | 'input' | 'output'> {
  const { inputBinding, outputBinding } = request;
  const input = inputBinding.case === 'input' ? inputBinding.value : undefined;
  const output = outputBinding.case === 'output' ? outputBinding.value : undefined;
  return {
    inputHash: input === undefined ? readBinding(inputBinding) : undefined,
    outputHash: output === undefined ? readBinding(outputBinding) : undefined,
    input,
    output,
  };
}

/** The hash that a binding stands for: given as it is, or of the octets given. An empty one is a hash of nothing. */
function readBinding(binding: IssueRequest['inputBinding'] | IssueRequest['outputBinding']): string | undefined {
  if (binding.case === undefined) return undefined;
  if (typeof binding.value !== 'string') return hashClaim(binding.value);
  if (binding.value === '') throw invalid(binding.case === 'inpHash' ? 'inp_hash' : 'out_hash', 'must not be empty');
  return binding.value;
}
