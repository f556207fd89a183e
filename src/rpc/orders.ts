// Between messages and the domain: what comes in. Fields that the domain has no rule for are bounded here.

import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import type { DagSubject, IssueOrder, VerifyOrder } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import {
  DagMode,
  type IssueRequest,
  RecordMode,
  ReplayMode,
  type ValidateDAGRequest,
  VerifyMode,
  type VerifyRequest,
} from '../gen/ect/v1/authority_pb.ts';
import { Draft, Level } from '../gen/ect/v1/token_pb.ts';
import { formatChecks, hashClaim } from '../token/index.ts';
import { readExtension } from './extension.ts';
import { demand, invalid } from './invalid.ts';
import { MAX_BUNDLE_TOKENS, MAX_HANDED_ALONG } from './limits.ts';
import { readAll } from './violations.ts';

const MAX_NAME_BYTES = 128;

/** `ids`: what ids look like here. */
export function readIssueOrder(request: IssueRequest, ids: 'uuid' | 'text' = 'uuid'): IssueOrder {
  return readAll(
    () => issueOrderOf(request),
    () => [...issueReaders(request), ...formatReaders(request, ids)],
  );
}

function issueOrderOf(request: IssueRequest): IssueOrder {
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
    record: readRecordMode(request.record, level),
    idempotencyKey: readKey('idempotency_key', request.idempotencyKey),
  };
}

/** The readers of the fields, each by itself. What hangs on the level is not asked where that is wrong. */
function issueReaders(request: IssueRequest): readonly (() => unknown)[] {
  const level = LEVELS[request.level] ?? 'L2';
  return [
    () => demandThere('exec_act', request.execAct !== ''),
    () => demandThere('aud', request.aud.length > 0),
    () => readLevel('level', request.level),
    () => readTtl(request.ttl),
    () => readBinding(request.inputBinding),
    () => readBinding(request.outputBinding),
    () => readExtension(request.extension),
    () => readDraft(request.draft, level),
    () => readRecordMode(request.record, level),
    () => readKey('idempotency_key', request.idempotencyKey),
  ];
}

/** Claims are held to their rules after the request is read; where it cannot be, they are named beside the rest. */
function formatReaders(request: IssueRequest, ids: 'uuid' | 'text'): readonly (() => unknown)[] {
  const { aud, jti, wid, execAct: exec_act, pred, inputBinding, outputBinding } = request;
  const inp_hash = inputBinding.case === 'inpHash' ? inputBinding.value : '';
  const out_hash = outputBinding.case === 'outHash' ? outputBinding.value : '';
  return formatChecks({ aud, jti, wid, exec_act, pred, inp_hash, out_hash }, { ids }).map((check) => () => {
    const refusal = check();
    if (refusal !== undefined) throw new EctError(refusal);
  });
}

function demandThere(field: string, isThere: boolean): void {
  demand(isThere, field, 'is required');
}

export function readVerifyOrder(request: VerifyRequest): VerifyOrder {
  return readAll(
    () => verifyOrderOf(request),
    () => verifyReaders(request),
  );
}

function verifyReaders(request: VerifyRequest): readonly (() => unknown)[] {
  return [
    () => demandThere('token', request.token !== ''),
    () => known('dag', request.dag, DagMode),
    () => known('replay', request.replay, ReplayMode),
    () => known('mode', request.mode, VerifyMode),
    () => readPredecessors(request.predecessors),
    () => readDagMode(request),
    () => readName('request_id', request.requestId),
    () => readLevel('minimum_level', request.minimumLevel),
    () => readAsOf(request.asOf),
    () => readBinding(request.inputBinding),
    () => readBinding(request.outputBinding),
  ];
}

function verifyOrderOf(request: VerifyRequest): VerifyOrder {
  known('dag', request.dag, DagMode);
  known('replay', request.replay, ReplayMode);
  known('mode', request.mode, VerifyMode);
  if (request.token === '') throw invalid('token', 'is required');
  return {
    token: request.token,
    audience: request.audience,
    predecessors: readPredecessors(request.predecessors),
    dag: readDagMode(request),
    replay: readReplayMode(request.replay),
    requestId: readName('request_id', request.requestId),
    minimumLevel: readLevel('minimum_level', request.minimumLevel),
    mode: request.mode === VerifyMode.REPORT ? 'report' : 'enforce',
    asOf: readAsOf(request.asOf),
    ...readBindings(request),
  };
}

export function readDagSubject({ subject, predecessors }: ValidateDAGRequest): DagSubject {
  if (subject.case !== 'token' && predecessors.length > 0) throw invalid('predecessors', 'go with token only');
  switch (subject.case) {
    case 'token':
      if (subject.value === '') throw invalid('token', 'is required');
      return { kind: 'token', token: subject.value, predecessors: readPredecessors(predecessors) };
    case 'wid':
      if (subject.value === '') throw invalid('wid', 'is required');
      return { kind: 'workflow', wid: subject.value };
    case 'bundle': {
      const { tokens } = subject.value;
      if (tokens.length === 0 || tokens.length > MAX_BUNDLE_TOKENS) {
        throw invalid('bundle', `must have 1 to ${MAX_BUNDLE_TOKENS} tokens`);
      }
      return { kind: 'bundle', tokens };
    }
    default:
      throw invalid('subject', 'is required: token, wid or bundle');
  }
}

/** A name that a caller gives to a call or an item. */
export function readName(field: string, name: string): string {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw invalid(field, `must have at most ${MAX_NAME_BYTES} bytes`);
  return name;
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
  if (tokens.length > MAX_HANDED_ALONG) throw invalid('predecessors', `must have at most ${MAX_HANDED_ALONG} tokens`);
  return tokens;
}

/** A name under which what was done is remembered. */
export function readKey(field: string, key: string): string {
  if (!/^[\x21-\x7e]*$/.test(key)) throw invalid(field, 'must be printable ASCII without blanks');
  return readName(field, key);
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
  if (draft !== Draft.DRAFT_00) return '01';
  if (level === 'L1') throw invalid('draft', 'must be DRAFT_01 for level L1: draft -00 has no levels');
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
  known('record', mode, RecordMode);
  if (mode !== RecordMode.UNSPECIFIED && level !== 'L3') throw invalid('record', 'goes with level L3 only');
  return mode === RecordMode.ASYNC ? 'async' : 'sync';
}

function readDagMode({ dag, predecessors }: VerifyRequest): 'none' | 'partial' | 'complete' {
  switch (dag) {
    case DagMode.NONE:
      if (predecessors.length > 0) throw invalid('dag', 'must not be NONE where predecessors are handed along');
      return 'none';
    case DagMode.PARTIAL:
      return 'partial';
    case DagMode.COMPLETE:
      return 'complete';
    default:
      return predecessors.length > 0 ? 'partial' : 'none';
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
