// Every unary method of our services at both transports, over one authority: equal requests get equal messages, byte for
// byte, and what the real procedures reject is rejected alike.

import { create, type DescMethodUnary, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { METHODS } from '../../../scripts/api-methods.ts';
import { adminService } from '../../../src/api/admin.ts';
import { authorityService } from '../../../src/api/authority.ts';
import { keyService } from '../../../src/api/keys.ts';
import { ledgerService } from '../../../src/api/ledger.ts';
import { APPEND_STEPS, ISSUE_STEPS, VERIFY_STEPS } from '../../../src/authority/index.ts';
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from '../../../src/calls/message-limits.ts';
import { reject } from '../../../src/errors.ts';
import {
  AdminService,
  MarkCompromisedRequestSchema,
  RevokeKeyRequestSchema,
} from '../../../src/gen/ect/v1/admin_pb.ts';
import {
  AuthorityService,
  DagMode,
  GraphFormat,
  IssueRequestSchema,
  RecordMode,
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
import { CheckStatus, Draft, Level } from '../../../src/gen/ect/v1/token_pb.ts';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import type { KeyManager } from '../../../src/key-manager/index.ts';
import { MemoryLedgerStore } from '../../../src/stores/memory/index.ts';
import { digestOfToken } from '../../../src/token/index.ts';
import { makeAuthority } from '../../support/authority.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { share, startKeyManager } from '../../support/key-manager.ts';
import { frame } from '../../support/rpc-clients.ts';
import { NOW, WID } from '../../support/tokens.ts';
import { type BothTransports, callBoth, type Seen, startBothTransports } from './both-transports.ts';
import { reasonOf } from './permissive-transports.ts';

const AUDIENCE = 'urn:example:reviewer';
const NO_SUCH_TASK = '00000000-0000-4000-8000-000000000000';
const SHARED_JTI = '11111111-1111-4111-8111-111111111111';
const LOST_JTI = '22222222-2222-4222-8222-222222222222';
const WAITING_JTI = '33333333-3333-4333-8333-333333333333';
const A = AuthorityService.method;
const L = LedgerService.method;
const K = KeyService.method;
const D = AdminService.method;

type Request<M extends DescMethodUnary> = MessageInitShape<M['input']>;
const order = (fields: Request<typeof A.issue> = {}) => ({ execAct: 'review_spec', aud: [AUDIENCE], ...fields });
const APPROVED = { pol: 'policy_v1', pol_decision: 'approved', pol_enforcer: 'urn:gate', pol_timestamp: 1_772_000_000 };
// What is issued under a key is issued once, so both transports answer the same token.
const keyed = {
  plain: order({ requestId: 'plain' }),
  full: order({
    requestId: 'full',
    wid: WID,
    jti: SHARED_JTI,
    ttl: { seconds: 60n },
    inputBinding: { case: 'input', value: Buffer.from('in') },
    outputBinding: { case: 'output', value: Buffer.from('out') },
    extension: { case: 'ectExt', value: { 'org.example': { list: [1, 1.5, 'ü', null, true], empty: {} } } },
  }),
  rival: order({ requestId: 'rival', wid: WID, jti: SHARED_JTI }),
  recorded: order({ requestId: 'recorded', wid: WID, level: Level.L3 }),
  followed: order({ requestId: 'followed', level: Level.L3, recordMode: RecordMode.ASYNC }),
  lost: order({ requestId: 'lost', jti: LOST_JTI, level: Level.L3, recordMode: RecordMode.ASYNC }),
  waiting: order({ requestId: 'waiting', jti: WAITING_JTI, level: Level.L3, recordMode: RecordMode.ASYNC }),
  older: order({
    requestId: 'older',
    draft: Draft.ECT_00,
    inputBinding: { case: 'input', value: Buffer.from('in') },
    extension: { case: 'ectExt', value: { ...APPROVED, 'org.example': 1 } },
  }),
  approved: order({
    requestId: 'approved',
    extension: { case: 'ectExt', value: { ...APPROVED, compensation_required: true } },
  }),
  object: order({ requestId: 'object', level: Level.L1 }),
  orphan: order({ requestId: 'orphan', pred: [NO_SUCH_TASK] }),
};

const MARKED: Request<typeof D.markCompromised> = { subject: { case: 'kid', value: 'stolen' }, note: 'why' };

let transports: BothTransports;
let keyManager: KeyManager;
const keyOf = (generation: number) => ({ kid: keyManager.all[generation]?.kid ?? '' });
const tokens: Record<keyof typeof keyed, string> = {
  plain: '',
  full: '',
  rival: '',
  recorded: '',
  followed: '',
  lost: '',
  waiting: '',
  older: '',
  approved: '',
  object: '',
  orphan: '',
};
let recordedJti = '';
let followedJti = '';

beforeAll(async () => {
  const store = new FaultyStore(new MemoryLedgerStore());
  const { context, orders } = await makeAuthority(store);
  ({ keyManager } = await startKeyManager(share()));
  // One key of each state.
  const urgent = { nextKey: '', urgent: true, by: 'admin', note: '' };
  for (let i = 0; i < 2; i++) await keyManager.rotate(urgent);
  await keyManager.rotate({ ...urgent, urgent: false });
  const admin = adminService(context, keyManager);
  const services = [authorityService(context), ledgerService(context), keyService(context, keyManager), admin];
  transports = await startBothTransports(() => services);
  const call = { method: '', caller: { kind: 'anonymous' }, signal: new AbortController().signal, note() {} } as const;
  for (const name of Object.keys(keyed) as (keyof typeof keyed)[]) {
    const issued = await authorityService(context).procedures.issue(create(IssueRequestSchema, keyed[name]), call);
    tokens[name] = issued.token ?? '';
    if (name === 'recorded') recordedJti = issued.claims?.jti ?? '';
    if (name === 'followed') {
      followedJti = issued.claims?.jti ?? '';
      await context.ledger.drain();
      store.plan('lost', 'lost');
    }
  }
  await context.recordings.drain();
  const lost = { wid: '', jti: LOST_JTI, digest: digestOfToken(tokens.lost) };
  await orders.failed(lost, reject('KEY_REVOKED', 'The key was revoked.'), 3_600_000);
  await admin.procedures.markCompromised(create(MarkCompromisedRequestSchema, MARKED), call);
  await admin.procedures.revokeKey(create(RevokeKeyRequestSchema, keyOf(1)), call);
});
afterEach(() => transports.expectNoFurtherEvents());
afterAll(async () => {
  await transports[Symbol.asyncDispose]();
  await keyManager.close();
});

/** The call at both transports, which must agree. */
function call<M extends DescMethodUnary>(method: M, request: Request<M>): Promise<Seen> {
  const bytes = toBinary(method.input, create(method.input, request));
  return callBoth(transports, { path: `/${method.parent.typeName}/${method.name}`, body: [frame(bytes)] });
}

interface Good<M extends DescMethodUnary = DescMethodUnary> {
  readonly method: M;
  readonly request: () => Request<M>;
  /** A part of the answer, so that two empty answers are not taken for agreement. */
  readonly says: object;
}

function good<M extends DescMethodUnary>(method: M, request: () => Request<M>, says: object): Good {
  return { method, request, says } as unknown as Good;
}

const indexed = (index: bigint) => ({ name: { case: 'index' as const, value: index } });
const named = (jti: string, wid = '') => ({ name: { case: 'task' as const, value: { jti, wid } } });

const SIGNING_INPUT = expect.stringMatching(/^[\w-]+\.[\w-]+$/);

const valid = { valid: true, level: Level.L2 };
const verify = (fields: Request<typeof A.verify> = {}) => ({
  token: tokens.plain,
  audience: AUDIENCE,
  replayMode: ReplayMode.SKIP,
  ...fields,
});

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

describe('what the real procedures reject is rejected alike', () => {
  const rejected = <M extends DescMethodUnary>(reason: string, method: M, request: () => Request<M>) => ({
    reason,
    method: method as DescMethodUnary,
    request: request as () => Request<DescMethodUnary>,
  });
  const REFUSED = [
    rejected('KEY_NOT_FOUND', D.revokeKey, () => ({ kid: 'x'.repeat(43) })),
    rejected('KEY_STATE_INVALID', D.retireKey, () => keyOf(2)),
    rejected('KEY_NOT_CURRENT', D.rotateKey, () => ({ expectedCurrentKid: 'x'.repeat(43) })),
    rejected('REQUEST_INVALID', D.rotateKey, () => ({ requestId: 'with blank' })),
    rejected('REQUEST_INVALID', A.batchIssue, () => ({ requestId: 'with blank', items: [{ request: order() }] })),
    rejected('REQUEST_INVALID', A.batchVerify, () => ({ requestId: '1', items: [{ request: verify() }] })),
    rejected('REQUEST_INVALID', D.markCompromised, () => ({
      subject: { case: 'task' as const, value: { jti: NO_SUCH_TASK } },
      compromisedSince: { seconds: 1n },
    })),
    rejected('ROTATION_UNSUPPORTED', D.rotateKey, () => ({
      source: { case: 'existing' as const, value: { name: 'alias/other' } },
    })),
    rejected('REQUEST_INVALID', D.rotateKey, () => ({ source: { case: 'existing' as const, value: {} } })),
    rejected('REQUEST_INVALID', D.retireKey, () => ({ kid: '' })),
    rejected('REQUEST_INVALID', D.listKeys, () => ({ pageSize: -1 })),
    rejected('REQUEST_INVALID', D.listKeys, () => ({ pageToken: '-1' })),
    rejected('REQUEST_INVALID', D.rotateKey, () => ({ note: 'x'.repeat(257) })),
    rejected('CLAIM_INVALID', A.issue, () => order({ execAct: '' })),
    rejected('ISSUER_NOT_ALLOWED', A.issue, () => order({ iss: 'urn:other' })),
    rejected('REQUEST_INVALID', A.verify, () => verify({ requestId: '1' })),
    rejected('DAG_PREDECESSOR_MISSING', A.issue, () => order({ level: Level.L3, pred: [NO_SUCH_TASK] })),
    rejected('PRED_INVALID', A.issue, () => order({ pred: [NO_SUCH_TASK, NO_SUCH_TASK] })),
    rejected('EXT_TOO_DEEP', A.issue, () => order({ extension: { case: 'ectExtJson', value: '{"a":[[[[[[1]]]]]]}' } })),
    rejected('EXT_TOO_LARGE', A.issue, () =>
      order({ extension: { case: 'ectExtJson', value: `{"a":"${'x'.repeat(5000)}"}` } }),
    ),
    rejected('REQUEST_INVALID', A.issue, () => order({ ttl: { seconds: 0n } })),
    rejected('REQUEST_INVALID', A.issue, () => order({ draft: 99 as never })),
    rejected('REQUEST_INVALID', A.issue, () => order({ recordMode: RecordMode.ASYNC })),
    rejected('REQUEST_INVALID', A.batchIssue, () => ({})),
    rejected('REQUEST_INVALID', A.verify, () => ({})),
    rejected('REQUEST_INVALID', A.verify, () => verify({ asOf: { seconds: BigInt(NOW + 1) } })),
    rejected('REQUEST_INVALID', A.verify, () => verify({ verifyMode: 99 as never })),
    rejected('REQUEST_INVALID', A.issue, () => order({ level: Level.L1, draft: Draft.ECT_00 })),
    rejected('TOKEN_MALFORMED', A.appendLedger, () => ({ token: 'a.b.c' })),
    rejected('TOKEN_TOO_LARGE', A.appendLedger, () => ({ token: 'x'.repeat(20_000) })),
    rejected('ENTRY_NOT_FOUND', L.getEntry, () => named(NO_SUCH_TASK)),
    rejected('ENTRY_FAILED', L.getEntry, () => named(LOST_JTI)),
    rejected('ENTRY_PENDING', L.getEntry, () => named(WAITING_JTI)),
    rejected('INDEX_OUT_OF_RANGE', L.getEntry, () => indexed(4n)),
    rejected('REQUEST_INVALID', L.getEntry, () => ({})),
    rejected('REQUEST_INVALID', L.getEntry, () => named('', WID)),
    rejected('REQUEST_INVALID', L.getEntry, () => ({ ...indexed(0n), receiptFormat: 9 as never })),
    rejected('ENTRY_NOT_FOUND', L.getRecording, () => ({ task: { jti: NO_SUCH_TASK }, wait: { seconds: 5n } })),
    rejected('REQUEST_INVALID', L.getRecording, () => ({ task: { wid: WID } })),
    rejected('REQUEST_INVALID', L.getRecording, () => ({ task: { jti: LOST_JTI }, wait: { seconds: -1n } })),
    rejected('INDEX_OUT_OF_RANGE', L.getInclusionProof, () => ({ leafIndex: 4n })),
    rejected('WORKFLOW_NOT_FOUND', L.getWorkflow, () => ({ wid: NO_SUCH_TASK })),
    rejected('TREE_SIZE_INVALID', L.getInclusionProof, () => ({ leafIndex: 0n, treeSize: 99n })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ pageToken: 'no token' })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ pageSize: -1 })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ kinds: [EntryKind.UNSPECIFIED] })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ order: 9 as never })),
    rejected('REQUEST_INVALID', D.markCompromised, () => ({ note: 'of nothing' })),
    rejected('SERVICE_UNKNOWN', Health.method.check, () => ({ service: 'no.such.Service' })),
  ];
  test.each(REFUSED)('$reason', async ({ reason, method, request }) => {
    expect(reasonOf(await call(method, request()))).toBe(reason);
    // The API page names it for the method.
    const documented = METHODS[method.name]?.reasons;
    if (documented !== undefined) expect(documented).toContain(reason);
  });

  test.each([
    [A.issue, MAX_MESSAGE_BYTES],
    [A.appendLedger, MAX_MESSAGE_BYTES],
    [A.batchIssue, MAX_BATCH_BYTES],
    [A.validateDAG, MAX_BATCH_BYTES],
  ] as const)('H11: %s is too large from one byte over its limit on', async (method, limit) => {
    // An unknown field of bytes, with a tag of two bytes and a length of three or four.
    const padded = (bytes: number) => {
      const tag = [0xfa, 0x7f];
      const size = bytes - tag.length - (bytes > 1 << 21 ? 4 : 3);
      const length = [];
      for (let rest = size; rest > 0; rest = Math.floor(rest / 128))
        length.push((rest % 128) | (rest >= 128 ? 128 : 0));
      const message = Buffer.concat([Buffer.from([...tag, ...length]), Buffer.alloc(size)]);
      expect(message).toHaveLength(bytes);
      return { path: `/${method.parent.typeName}/${method.name}`, body: [frame(message)] };
    };
    expect(reasonOf(await callBoth(transports, padded(limit)))).not.toBe('MESSAGE_TOO_LARGE');
    expect(reasonOf(await callBoth(transports, padded(limit + 1)))).toBe('MESSAGE_TOO_LARGE');
  });
});
