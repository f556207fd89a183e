// Our services over one authority, at both transports, with a token of each kind and a key of each state.

import { create, type DescMethodUnary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { adminService } from '../../../src/api/admin.ts';
import { authorityService } from '../../../src/api/authority.ts';
import { keyService } from '../../../src/api/keys.ts';
import { ledgerService } from '../../../src/api/ledger.ts';
import { reject } from '../../../src/errors.ts';
import {
  AdminService,
  MarkCompromisedRequestSchema,
  RevokeKeyRequestSchema,
} from '../../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService, IssueRequestSchema, RecordMode, ReplayMode } from '../../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../../src/gen/ect/v1/ledger_pb.ts';
import { Draft, Level } from '../../../src/gen/ect/v1/token_pb.ts';
import type { KeyManager } from '../../../src/key-manager/index.ts';
import { MemoryLedgerStore } from '../../../src/stores/memory/index.ts';
import { digestOfToken } from '../../../src/token/index.ts';
import { makeAuthority } from '../../support/authority.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { share, startKeyManager } from '../../support/key-manager.ts';
import { frame } from '../../support/rpc-clients.ts';
import { WID } from '../../support/tokens.ts';
import { type BothTransports, callBoth, type Seen, startBothTransports } from './both-transports.ts';

export const AUDIENCE = 'urn:example:reviewer';
export const NO_SUCH_TASK = '00000000-0000-4000-8000-000000000000';
const SHARED_JTI = '11111111-1111-4111-8111-111111111111';
export const LOST_JTI = '22222222-2222-4222-8222-222222222222';
export const WAITING_JTI = '33333333-3333-4333-8333-333333333333';
export const A = AuthorityService.method;
export const L = LedgerService.method;
export const K = KeyService.method;
export const D = AdminService.method;

export type Request<M extends DescMethodUnary> = MessageInitShape<M['input']>;
export const order = (fields: Request<typeof A.issue> = {}) => ({ execAct: 'review_spec', aud: [AUDIENCE], ...fields });
export const APPROVED = {
  pol: 'policy_v1',
  pol_decision: 'approved',
  pol_enforcer: 'urn:gate',
  pol_timestamp: 1_772_000_000,
};
// What is issued under a key is issued once, so both transports answer the same token.
export const keyed = {
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

export const MARKED: Request<typeof D.markCompromised> = { subject: { case: 'kid', value: 'stolen' }, note: 'why' };

export let transports: BothTransports;
let keyManager: KeyManager;
export const keyOf = (generation: number) => ({ kid: keyManager.all[generation]?.kid ?? '' });
export const tokens: Record<keyof typeof keyed, string> = {
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
export let recordedJti = '';
export let followedJti = '';

beforeAll(async () => {
  const store = new FaultyStore(new MemoryLedgerStore());
  const { context, pending } = await makeAuthority(store);
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
  await pending.failed(lost, reject('KEY_REVOKED', 'The key was revoked.'), 3_600_000);
  await admin.procedures.markCompromised(create(MarkCompromisedRequestSchema, MARKED), call);
  await admin.procedures.revokeKey(create(RevokeKeyRequestSchema, keyOf(1)), call);
});
afterEach(() => transports.expectNoFurtherEvents());
afterAll(async () => {
  await transports[Symbol.asyncDispose]();
  await keyManager.close();
});

/** The call at both transports, which must agree. */
export function call<M extends DescMethodUnary>(method: M, request: Request<M>): Promise<Seen> {
  const bytes = toBinary(method.input, create(method.input, request));
  return callBoth(transports, { path: `/${method.parent.typeName}/${method.name}`, body: [frame(bytes)] });
}

export interface Good<M extends DescMethodUnary = DescMethodUnary> {
  readonly method: M;
  readonly request: () => Request<M>;
  /** A part of the answer, so that two empty answers are not taken for agreement. */
  readonly says: object;
}

export function good<M extends DescMethodUnary>(method: M, request: () => Request<M>, says: object): Good {
  return { method, request, says } as unknown as Good;
}

export const indexed = (index: bigint) => ({ name: { case: 'index' as const, value: index } });
export const named = (jti: string, wid = '') => ({ name: { case: 'task' as const, value: { jti, wid } } });

export const valid = { valid: true, level: Level.L2 };
export const verify = (fields: Request<typeof A.verify> = {}) => ({
  token: tokens.plain,
  audience: AUDIENCE,
  replayMode: ReplayMode.SKIP,
  ...fields,
});
