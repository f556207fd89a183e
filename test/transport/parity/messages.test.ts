// Every unary method of our services at both transports, over one authority: equal requests get equal messages, byte for
// byte, and what the real procedures reject is rejected alike.

import { fromBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { APPEND_STEPS, ISSUE_STEPS, VERIFY_STEPS } from '../../../src/authority/index.ts';
import { AdminService } from '../../../src/gen/ect/v1/admin_pb.ts';
import {
  AuthorityService,
  DagMode,
  GraphFormat,
  ReplayMode,
  VerifyMode,
} from '../../../src/gen/ect/v1/authority_pb.ts';
import { ErrorReason } from '../../../src/gen/ect/v1/error_reason_pb.ts';
import { KeyService, KeyState } from '../../../src/gen/ect/v1/keys_pb.ts';
import {
  EntryKind,
  EntryOrder,
  LedgerService,
  ReceiptFormat,
  RecordingStatus,
} from '../../../src/gen/ect/v1/ledger_pb.ts';
import { CheckStatus, Level } from '../../../src/gen/ect/v1/token_pb.ts';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { NOW, WID } from '../../support/tokens.ts';
import {
  A,
  APPROVED,
  AUDIENCE,
  call,
  D,
  followedJti,
  type Good,
  good,
  indexed,
  K,
  keyed,
  keyOf,
  L,
  LOST_JTI,
  MARKED,
  NO_SUCH_TASK,
  named,
  order,
  recordedJti,
  tokens,
  valid,
  verify,
  WAITING_JTI,
} from './real-services.ts';

const SIGNING_INPUT = expect.stringMatching(/^[\w-]+\.[\w-]+$/);

/** APPROVED as the API says it, whichever draft the token is of. */
const SURFACED = {
  pol: 'policy_v1',
  polDecision: 'approved',
  polEnforcer: 'urn:gate',
  polTimestamp: { seconds: 1_772_000_000n },
  compensationRequired: false,
};

/** A check, with a finding where its name has a reason. */
function failing(name: string, reasons: Readonly<Record<string, ErrorReason>> = {}): object {
  const reason = reasons[name];
  if (reason === undefined) return { name, status: expect.toBeOneOf([CheckStatus.PASS, CheckStatus.SKIPPED]) };
  const text = expect.stringMatching(/\S/);
  return { name, status: CheckStatus.FAIL, finding: { reason, message: text, remedy: text } };
}

const GOOD: readonly Good[] = [
  good(A.issue, () => keyed.plain, { level: Level.L2, claims: { iss: 'urn:ect:test', aud: [AUDIENCE] } }),
  good(A.issue, () => keyed.full, {
    claims: { wid: WID, ectExt: { 'org.example': { list: [1, 1.5, 'ü', null, true] } } },
  }),
  good(A.issue, () => keyed.older, { level: Level.L2, token: expect.stringContaining('.') }),
  good(A.issue, () => keyed.object, { level: Level.L1, kid: '', token: expect.stringMatching(/^\{"iss":/) }),
  good(A.issue, () => keyed.followed, { level: Level.L2 }),
  good(A.issue, () => keyed.recorded, {
    level: Level.L3,
    receipt: { proof: { case: 'inclusion', value: { leafIndex: 0n, treeSize: 4n } } },
  }),
  good(A.issue, () => order({ dryRun: true, jti: recordedJti, pred: [NO_SUCH_TASK] }), {
    dagReport: { unresolved: [{ wid: '', jti: NO_SUCH_TASK }] },
  }),
  good(A.issue, () => order({ dryRun: true, jti: NO_SUCH_TASK }), {
    token: '',
    claims: { jti: NO_SUCH_TASK },
    checks: ISSUE_STEPS.map(({ name }) => failing(name)),
  }),
  good(A.issue, () => order({ dryRun: true, jti: recordedJti, wid: WID, iss: 'urn:other', level: Level.L3 }), {
    // Nothing of a token that would not leave.
    kid: '',
    level: Level.UNSPECIFIED,
    checks: [
      failing('caller', { caller: ErrorReason.ISSUER_NOT_ALLOWED }),
      { name: 'formats', status: CheckStatus.PASS },
      { name: 'key', status: CheckStatus.SKIPPED },
      failing('dag', { dag: ErrorReason.DAG_DUPLICATE_TASK }),
      { name: 'size', status: CheckStatus.SKIPPED },
      { name: 'room', status: CheckStatus.SKIPPED },
      { name: 'signature', status: CheckStatus.SKIPPED },
      { name: 'record', status: CheckStatus.SKIPPED },
    ],
  }),
  good(
    A.batchIssue,
    () => ({ items: [{ reference: 'a', request: keyed.plain }, { reference: 'b', request: order({ aud: [] }) }, {}] }),
    { results: [{ result: { case: 'response' } }, { result: { case: 'error' } }, { result: { case: 'error' } }] },
  ),
  good(A.verify, () => verify(), valid),
  good(
    A.verify,
    () => verify({ token: tokens.full, inputBinding: { case: 'input', value: Buffer.from('in') } }),
    valid,
  ),
  good(A.verify, () => verify({ token: tokens.recorded, minimumLevel: Level.L3, dagMode: DagMode.COMPLETE }), {
    valid: true,
    level: Level.L3,
  }),
  good(A.verify, () => verify({ replayMode: ReplayMode.RECORD, requestId: 'one-call-of-this-very-test' }), valid),
  good(
    A.verify,
    () => verify({ token: tokens.full, replayMode: ReplayMode.RECORD, requestId: 'one-call-of-this-very-test' }),
    valid,
  ),
  good(A.verify, () => verify({ replayMode: ReplayMode.OBSERVE }), {
    valid: false,
    finding: { reason: ErrorReason.TOKEN_REPLAYED },
  }),
  good(A.verify, () => verify({ token: tokens.rival, replayMode: ReplayMode.OBSERVE }), {
    finding: { reason: ErrorReason.TOKEN_EQUIVOCATED },
    equivocation: { signingInput: SIGNING_INPUT, otherSigningInput: SIGNING_INPUT },
  }),
  good(A.verify, () => verify({ token: tokens.older, inputBinding: { case: 'input', value: Buffer.from('in') } }), {
    ...valid,
    claims: { policy: SURFACED, ectExt: { 'org.example': 1 } },
  }),
  good(A.verify, () => verify({ token: tokens.approved }), {
    ...valid,
    claims: { policy: { ...SURFACED, compensationRequired: true }, ectExt: APPROVED },
  }),
  good(A.verify, () => verify({ token: tokens.object, verifyMode: VerifyMode.REPORT }), {
    valid: false,
    finding: { reason: ErrorReason.LEVEL_TOO_LOW },
  }),
  good(A.verify, () => verify({ audience: 'urn:other', minimumLevel: Level.L3, verifyMode: VerifyMode.REPORT }), {
    valid: false,
    finding: { reason: ErrorReason.AUDIENCE_MISMATCH },
    claims: { aud: [AUDIENCE] },
    checks: VERIFY_STEPS.map(({ name }) =>
      failing(name, { level: ErrorReason.LEVEL_TOO_LOW, audience: ErrorReason.AUDIENCE_MISMATCH }),
    ),
  }),
  good(A.verify, () => verify({ asOf: { seconds: BigInt(NOW), nanos: 1 }, replayMode: ReplayMode.RECORD }), valid),
  good(A.verify, () => verify({ asOf: { seconds: BigInt(NOW - 31) } }), {
    valid: false,
    finding: { reason: ErrorReason.IAT_IN_FUTURE },
  }),
  good(A.verify, () => verify({ audience: 'urn:other' }), {
    valid: false,
    finding: { reason: ErrorReason.AUDIENCE_MISMATCH },
  }),
  good(A.verify, () => verify({ token: 'no token' }), {
    valid: false,
    finding: { reason: ErrorReason.TOKEN_MALFORMED },
  }),
  good(A.batchVerify, () => ({ items: [{ request: verify() }, { request: verify({ token: '' }) }] }), {
    results: [{ result: { case: 'response', value: valid } }, { result: { case: 'error' } }],
  }),
  good(A.validateDAG, () => ({ subject: { case: 'token' as const, value: tokens.orphan } }), {
    dagReport: { unresolved: [{ wid: '', jti: NO_SUCH_TASK }] },
  }),
  good(A.validateDAG, () => ({ subject: { case: 'wid' as const, value: WID }, graphFormat: GraphFormat.MERMAID }), {
    size: 1,
  }),
  good(
    A.validateDAG,
    () => ({
      subject: { case: 'bundle' as const, value: { tokens: [tokens.plain, tokens.full] } },
      graphFormat: GraphFormat.DOT,
    }),
    { size: 2 },
  ),
  good(A.appendLedger, () => ({ token: tokens.recorded }), { duplicate: true, entry: { index: 0n } }),
  good(A.appendLedger, () => ({ token: tokens.plain, dryRun: true }), {
    duplicate: false,
    checks: APPEND_STEPS.map(({ name }) => failing(name)),
  }),
  good(A.appendLedger, () => ({ token: tokens.orphan, dryRun: true }), {
    checks: APPEND_STEPS.map(({ name }) => failing(name, { dag: ErrorReason.DAG_PREDECESSOR_MISSING })),
  }),
  good(A.appendLedger, () => ({ token: tokens.recorded, dryRun: true }), { duplicate: true, entry: { index: 0n } }),
  good(
    A.batchAppendLedger,
    () => ({
      items: [
        { reference: 'a', request: { token: tokens.orphan, dryRun: true } },
        { reference: 'b', request: { token: tokens.recorded } },
        { reference: 'c', request: { dryRun: true } },
        { reference: 'd', request: { token: 'x', dryRun: true } },
      ],
    }),
    {
      results: [
        { reference: 'a', result: { case: 'response', value: { duplicate: false } } },
        { reference: 'b', result: { case: 'response', value: { duplicate: true, checks: [] } } },
        { reference: 'c', result: { case: 'error' } },
        { reference: 'd', result: { case: 'response' } },
      ],
    },
  ),
  good(A.batchAppendLedger, () => ({ items: [{ request: { token: tokens.recorded } }, { reference: 'none' }] }), {
    results: [{ result: { case: 'response', value: { duplicate: true } } }, { result: { case: 'error' } }],
  }),
  good(A.getAuthority, () => ({}), { issuer: 'urn:ect:test', limits: { predecessors: 100 } }),
  good(L.getEntry, () => indexed(0n), { entry: { index: 0n }, receipt: { proof: { case: 'inclusion' } } }),
  good(L.getEntry, () => named(recordedJti, WID), { entry: { index: 0n } }),
  good(L.getEntry, () => ({ ...named(followedJti), receiptFormat: ReceiptFormat.TLOG_PROOF }), {
    entry: { index: 1n },
    receipt: { proof: { case: 'tlogProof', value: expect.stringMatching(/^c2sp\.org\/tlog-proof@v1\n/) } },
  }),
  good(L.getRecording, () => ({ task: { jti: recordedJti, wid: WID }, receiptFormat: ReceiptFormat.TLOG_PROOF }), {
    status: RecordingStatus.RECORDED,
    entry: { index: 0n },
    receipt: { proof: { case: 'tlogProof' } },
  }),
  good(L.getRecording, () => ({ task: { jti: WAITING_JTI }, wait: { nanos: 1_000_000 } }), {
    status: RecordingStatus.PENDING,
  }),
  good(L.getRecording, () => ({ task: { jti: LOST_JTI }, wait: { seconds: 9n } }), {
    status: RecordingStatus.FAILED,
    failure: {
      code: Code.FailedPrecondition,
      details: ['ErrorInfo', 'PreconditionFailure'].map((name) => ({
        typeUrl: `type.googleapis.com/google.rpc.${name}`,
      })),
    },
  }),
  good(L.listEntries, () => ({}), { entries: [{ index: 0n }, { index: 1n }, { index: 2n }, { index: 3n }] }),
  good(L.listEntries, () => ({ kinds: [EntryKind.TAINT] }), { entries: [{ index: 2n }, { index: 3n }] }),
  good(L.listEntries, () => ({ kinds: [EntryKind.KEY, EntryKind.LOSS] }), { entries: [] }),
  good(L.listEntries, () => ({ kinds: [EntryKind.TASK], order: EntryOrder.NEWEST_FIRST, pageSize: 1 }), {
    entries: [{ index: 1n }],
    nextPageToken: expect.stringMatching(/^[\w-]{19}$/),
  }),
  good(L.listEntries, () => ({ pageSize: 5_000 }), { entries: [{ index: 0n }, {}, {}, {}], nextPageToken: '' }),
  good(L.listEntries, () => ({ wid: NO_SUCH_TASK }), { entries: [] }),
  good(L.getWorkflow, () => ({ wid: WID }), { wid: WID, size: 1, depth: 1, firstRecordedAt: {}, dagReport: {} }),
  good(L.getCheckpoint, () => ({}), { treeSize: 4n, origin: 'test.example/ledger' }),
  good(L.getInclusionProof, () => ({ leafIndex: 0n }), { treeSize: 4n }),
  good(L.getConsistencyProof, () => ({ firstTreeSize: 1n }), { secondTreeSize: 4n }),
  good(D.markCompromised, () => MARKED, {
    duplicate: true,
    entry: { index: 2n, body: { case: 'taint', value: { subject: { case: 'kid', value: 'stolen' } } } },
  }),
  good(K.getKeySet, () => ({}), { keys: [{ alg: 'ES256' }, {}, {}], maxAge: { seconds: 100n } }),
  good(D.listKeys, () => ({}), { keys: [{ generation: 0 }, { generation: 1 }, { generation: 2 }, { generation: 3 }] }),
  good(D.listKeys, () => ({ past: true, pageSize: 1 }), { keys: [{ generation: 0 }] }),
  good(D.rotateKey, () => ({}), { duplicate: true, key: { generation: 3, key: { state: KeyState.ANNOUNCED } } }),
  good(D.retireKey, () => keyOf(0), { duplicate: true, key: { generation: 0, key: { state: KeyState.RETIRED } } }),
  good(D.revokeKey, () => keyOf(1), { duplicate: true, key: { generation: 1, key: { state: KeyState.REVOKED } } }),
  good(Health.method.check, () => ({ service: 'ect.v1.AuthorityService' }), { status: 1 }),
  good(Health.method.list, () => ({}), { statuses: { '': { status: 1 } } }),
];

describe('equal requests get equal messages', () => {
  test.each(GOOD.map(({ method, ...rest }) => ({ name: method.name, method, ...rest })))(
    '$name: $says',
    async (each) => {
      const { answer } = await call(each.method, each.request());
      expect(answer.grpcStatus, answer.grpcMessage).toBe('0');
      expect(answer.body.readUInt32BE(1)).toBe(answer.body.length - 5);
      expect(fromBinary(each.method.output, answer.body.subarray(5))).toMatchObject(each.says);
    },
  );

  test('no unary method is left out', () => {
    const tried = new Set<string>(GOOD.map(({ method }) => `${method.parent.typeName}/${method.name}`));
    const all = [AuthorityService, LedgerService, KeyService, AdminService, Health].flatMap(({ typeName, methods }) =>
      methods.filter(({ methodKind }) => methodKind === 'unary').map(({ name }) => `${typeName}/${name}`),
    );
    expect([...tried].toSorted()).toEqual(all.toSorted());
  });
});
