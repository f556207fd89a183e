// A10: who owns a workflow, so that a policy lets it read what others record there: the issuer of the first task that was recorded, and
// nobody by any detour.

import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import {
  type AuthorityContext,
  appendBatch,
  type Caller,
  dryRunAppend,
  type PendingRecording,
  proofBy,
  Recordings,
  readPending,
} from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import { AppendLedgerRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { GetEntryRequestSchema, ListEntriesRequestSchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import type { LedgerStore } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { authorizerFor, policyText } from '../support/policy.ts';
import { appendTo, endless, issueFor } from './support.ts';

const OWNER = workload('spiffe://prod.example/owner');
const THIEF = workload('spiffe://prod.example/thief');
const WID = 'a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c41';
const OTHER = 'a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c42';

const callOf = (caller: Caller) => ({ method: 'test', caller, signal: new AbortController().signal, note() {} });

async function make(store?: LedgerStore) {
  const { context: base, pending } = await makeAuthority(store);
  const context: AuthorityContext = { ...base, authorizer: authorizerFor(policyText('examples/own-entries.cedar')) };
  const { getEntry, listEntries } = ledgerService(context).procedures;
  const token = async (caller: Caller, wid: string, pred: readonly string[] = []) =>
    (await issueFor(context, { wid, pred }, caller)).token;
  const record = async (caller: Caller, wid: string) =>
    (await appendTo(context, await token(caller, wid), caller)).record;
  /** Whether `caller` reads this task of another. */
  const reads = async (caller: Caller, jti: string, wid = WID) => {
    const request = create(GetEntryRequestSchema, { name: { case: 'task', value: { jti, wid } } });
    try {
      return (await getEntry(request, callOf(caller))).entry !== undefined;
    } catch (error) {
      expect(error).toMatchObject({ reason: 'ENTRY_NOT_FOUND' });
      return false;
    }
  };
  const countOf = async (caller: Caller, wid: string) => {
    const page = await listEntries(create(ListEntriesRequestSchema, { wid }), callOf(caller));
    return page.entries?.length;
  };
  return { context, pending, token, record, reads, countOf };
}

/** Of a workflow that its owner began: its first task. */
async function makeOwned() {
  const made = await make();
  const { name: jti } = await made.record(OWNER, WID);
  return { ...made, jti };
}

describe('A10 the owner of a workflow is who issued its first task', () => {
  test('A10 a token says whose task it is, whichever caller presented it', async () => {
    const { context, token, record, reads } = await make();
    const first = await token(OWNER, WID);
    await appendTo({ ...context, authorizer: undefined }, first, THIEF);
    const ofThief = (await record(THIEF, WID)).name;
    expect(await reads(OWNER, ofThief)).toBe(true);
  });

  test('A10 and not who recorded more, or later, or follows the first task', async () => {
    const { context, jti, token, record, reads, countOf } = await makeOwned();
    await record(THIEF, WID);
    await record(THIEF, WID);
    await appendTo(context, await token(THIEF, WID, [jti]), THIEF);
    expect(await reads(THIEF, jti)).toBe(false);
    expect(await countOf(THIEF, WID)).toBe(3);
    expect(await countOf(OWNER, WID)).toBe(4);
  });

  test('A10 not by a first task of its own that names the workflow in another spelling', async () => {
    const { context, jti, reads, countOf } = await makeOwned();
    for (const spelling of [
      WID.toUpperCase(),
      `urn:uuid:${WID}`,
      `{${WID}}`,
      `${WID} `,
      `${WID}\0`,
      WID.replaceAll('-', ''),
    ]) {
      await issueFor(context, { wid: spelling, level: 'L3' }, THIEF).catch((error: unknown) => {
        expect(error).toMatchObject({ reason: expect.stringMatching(/^(CLAIM|REQUEST)_INVALID$/) });
      });
      expect(await reads(THIEF, jti), spelling).toBe(false);
      expect(await reads(THIEF, jti, spelling), spelling).toBe(false);
      expect(await countOf(THIEF, WID), spelling).toBe(0);
    }
  });

  test.each([
    'spiffe://PROD.example/owner',
    'SPIFFE://prod.example/owner',
    'spiffe://prod.example/Owner',
    'spiffe://prod.example/owner/',
    'spiffe://prod.example/%6fwner',
    'spiffe://prod.example//owner',
    'spiffe://prod.example/owner/x',
    'spiffe://prod.example/own',
    'spiffe://other.example/owner',
  ])('A10 not by a name that looks like the owner: %s', async (id) => {
    const { jti, reads, countOf } = await makeOwned();
    expect(await reads({ ...OWNER, id }, jti)).toBe(false);
    expect(await countOf({ ...OWNER, id }, WID)).toBe(0);
  });

  test('A10 by whatever its name is proven, and by nothing that only has the name of the authority', async () => {
    const { context, jti, reads } = await makeOwned();
    const proofs = [
      proofBy('jwt', 'spiffe://prod.example'),
      proofBy('wimse', 'spiffe://prod.example'),
      proofBy('forwarded', 'spiffe://prod.example/envoy'),
    ];
    for (const proof of proofs) expect(await reads({ ...OWNER, proof }, jti)).toBe(true);
    // Anonymous callers issue as the authority: what one of them begins is no workload's, and the other way round.
    const open = { ...context, authorizer: undefined };
    const { claims } = await issueFor(open, { wid: OTHER, level: 'L3' });
    expect(await reads(OWNER, claims.jti, OTHER)).toBe(false);
    expect(await reads({ kind: 'anonymous' }, jti)).toBe(false);
    const namesake = { kind: 'oidc', id: OWNER.id, proof: proofBy('jwt', 'https://idp.example') } as const;
    expect(await reads(namesake, jti)).toBe(false);
  });

  test('A10 not by a call that records nothing: a dry run, a rejected task, a refused call, a pending recording that failed', async () => {
    const { context, pending, token, record, reads } = await make();
    const mine = await token(THIEF, WID);
    await dryRunAppend(context, THIEF, mine, endless);
    const orphan = await token(THIEF, WID, ['550e8400-e29b-41d4-a716-446655440999']);
    await expect(appendTo(context, orphan, THIEF)).rejects.toMatchObject({ reason: 'DAG_PREDECESSOR_MISSING' });
    // The policy lets a workload record tokens of its own alone.
    const request = create(AppendLedgerRequestSchema, { token: mine });
    await expect(
      Promise.resolve(authorityService(context).procedures.appendLedger(request, callOf(OWNER))),
    ).rejects.toMatchObject({ reason: 'NOT_AUTHORIZED' });
    const order = {
      wid: WID,
      jti: OTHER,
      iss: THIEF.id,
      caller: THIEF.id,
      digest: Buffer.alloc(32),
      token: mine,
      requestedAt: 0,
      provenance: undefined,
    };
    await pending.add(order, 60_000);
    await pending.failed(order, { reason: 'DAG_CYCLE', message: 'a circle', metadata: {} }, 60_000);
    const { name: first } = await record(OWNER, WID);
    await appendTo(context, mine, THIEF);
    expect(await reads(THIEF, first)).toBe(false);
  });

  test('A10 not by a pending recording alone: the caller that is recorded first owns it, though another got an earlier promise', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context, pending, record, reads } = await make(store);
    store.plan('lost');
    const { claims } = await issueFor(context, { wid: WID, level: 'L3', record: 'async' }, OWNER);
    await context.recordings.drain();
    const task = { wid: WID, jti: claims.jti };
    expect(await pending.find(task)).toMatchObject({ failure: undefined });
    const { name } = await record(THIEF, WID);
    const { ledger, notices, earliest } = context;
    const reread = (order: PendingRecording) => readPending(context, order);
    const next = new Recordings({ pendingRecordings: pending, ledger, notices, earliest, reread, leaseMs: 0 });
    await next.sweep();
    expect(await ledger.find(WID, claims.jti)).toBeDefined();
    expect([await reads(OWNER, name), await reads(THIEF, claims.jti)]).toEqual([false, true]);
  });

  test('A10 a batch whose first item begins a workflow opens that one, and no other for the items after it', async () => {
    const { context, jti, token } = await makeOwned();
    const [begins, follows, steals] = [
      await token(THIEF, OTHER),
      // Each follows a task in another workflow than its own.
      await token(THIEF, OTHER, [jti]),
      await token(THIEF, '', [jti]),
    ];
    const results = await appendBatch(context, THIEF, [begins, follows, steals], endless.signal);
    expect(results.map((result) => (result instanceof EctError ? result.reason : 'recorded'))).toEqual([
      'recorded',
      'DAG_PREDECESSOR_MISSING',
      'DAG_PREDECESSOR_MISSING',
    ]);
  });

  test('A10 two callers that ask at once each get their own answer', async () => {
    const { jti, record, reads } = await makeOwned();
    const { name: ofThief } = await record(THIEF, OTHER);
    const asked = Array.from({ length: 200 }, (_, at) => {
      const [caller, task, wid] = [at % 2 === 0 ? OWNER : THIEF, at % 4 < 2 ? jti : ofThief, at % 4 < 2 ? WID : OTHER];
      return reads(caller, task, wid);
    });
    const expected = Array.from({ length: 200 }, (_, at) => at % 4 === 0 || at % 4 === 3);
    expect(await Promise.all(asked)).toEqual(expected);
  });
});
