// Reads an Issue request.

import type { Duration } from '@bufbuild/protobuf/wkt';
import type { IssueInput } from '../authority/index.ts';
import { type IssueRequest, RecordMode, RecordModeSchema } from '../gen/ect/v1/authority_pb.ts';
import { ReceiptFormat } from '../gen/ect/v1/ledger_pb.ts';
import { Draft, DraftSchema, Level } from '../gen/ect/v1/token_pb.ts';
import { known } from './enums.ts';
import { readExtension } from './extension.ts';
import { invalid } from './invalid.ts';
import { demandList } from './lists.ts';
import {
  checkReceiptFormat,
  type FaultsIn,
  LEVELS,
  NOTHING,
  noFaults,
  readBinding,
  readLevel,
  readRequestId,
} from './request-fields.ts';
import { readDurationMs } from './times.ts';
import { faultsOf, type Reader, readAll } from './violations.ts';

export function readIssueInput(request: IssueRequest, faultsIn: FaultsIn<IssueInput> = noFaults): IssueInput {
  return readAll(
    () => issueInputOf(request),
    () => faultsOf(request, issueReaders(request), (legible) => faultsIn(issueInputOf(legible))),
  );
}

function issueInputOf(request: IssueRequest): IssueInput {
  demandList('aud', request.aud);
  demandList('pred', request.pred);
  checkReceiptFormat(request.receiptFormat);
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

/** A placeholder for an audience that cannot be read, so that `aud` is not also reported as missing. */
const SOME_PARTY = 'urn:some:party';

/** The readers of the fields; each reads one part. If the level is invalid, the fields that depend on it are checked as for L2. */
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
    { read: () => checkReceiptFormat(request.receiptFormat), cleared: { receiptFormat: ReceiptFormat.UNSPECIFIED } },
  ];
}

function readTtl(ttl: Duration | undefined): number | undefined {
  if (ttl === undefined) return undefined;
  const seconds = (readDurationMs('ttl', ttl) ?? 0) / 1000;
  if (!Number.isInteger(seconds) || seconds < 1) throw invalid('ttl', 'must be whole seconds, at least 1');
  return seconds;
}

function readDraft(draft: Draft, level: IssueInput['level']): IssueInput['draft'] {
  known('draft', draft, DraftSchema);
  if (draft !== Draft.ECT_00) return '01';
  if (level === 'L1') throw invalid('draft', 'must be DRAFT_ECT_01 for level L1, since -00 has no levels');
  return '00';
}

function readRecordMode(mode: RecordMode, level: IssueInput['level']): IssueInput['record'] {
  known('record_mode', mode, RecordModeSchema);
  if (mode !== RecordMode.UNSPECIFIED && level !== 'L3') throw invalid('record_mode', 'goes with level L3 only');
  return mode === RecordMode.ASYNC ? 'async' : 'sync';
}
