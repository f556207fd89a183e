// Asynchronous L3: the pending recording of a token is durable before the token is returned, and any process completes it.

import { describe, expect, test } from 'vitest';
import {
  type AskedRecording,
  type AuthorityContext,
  getRecording,
  type PendingRecordings,
  Recordings,
  readPending,
  type TaskName,
} from '../../src/authority/index.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { MemoryLedgerStore, MemoryPendingRecordings } from '../../src/stores/memory/index.ts';
import { digestOfToken } from '../../src/token/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, OTHER_JTI } from '../support/tokens.ts';
import { anonymous, appendTo, endless, issueFor, reasonOf, recordTask, verifyFor } from './support.ts';

const later = { level: 'L3', record: 'async' } as const;
const TASK: TaskName = { wid: '', jti: JTI };
/** Longer than a test may take. */
const FOR_EVER_MS = 24 * 3_600_000;

/** A second process over the same pending recordings and the same ledger. */
function beside(
  context: AuthorityContext,
  pendingRecordings: PendingRecordings,
  differs: Partial<AuthorityContext> = {},
): AuthorityContext {
  const { ledger, notices, earliest } = context;
  const other: AuthorityContext = {
    ...context,
    ...differs,
    recordings: new Recordings({
      pendingRecordings,
      ledger,
      notices,
      earliest,
      reread: (order) => readPending(other, order),
      leaseMs: 0,
    }),
  };
  return other;
}

function recordingOf(context: AuthorityContext, task: AskedRecording = TASK, waitMs = 0, signal = endless.signal) {
  return getRecording(context, anonymous, task, waitMs, signal);
}

/** An authority with a pending recording that its process could not carry out. */
async function withPendingRecording(order: Parameters<typeof issueFor>[1] = {}) {
  const store = new FaultyStore(new MemoryLedgerStore());
  const made = await makeAuthority(store);
  store.plan('lost');
  const issued = await issueFor(made.context, { ...later, jti: JTI, ...order });
  await made.context.recordings.drain();
  expect((await made.context.ledger.checkpoint()).size).toBe(0);
  return { ...made, store, issued };
}

describe('asynchronous L3', () => {
  test('the token leaves as L2 without a receipt, and its entry follows', async () => {
    const { context, pending, noticed } = await makeAuthority();
    const { token, level, receipt } = await issueFor(context, { ...later, jti: JTI });
    expect({ level, receipt }).toEqual({ level: 'L2', receipt: undefined });
    expect(await pending.find(TASK)).toMatchObject({ failure: undefined });
    expect(await recordingOf(context)).toEqual({ status: 'pending' });
    await context.recordings.drain();
    expect(await pending.find(TASK)).toBeUndefined();
    expect(noticed).toEqual([{ event: 'background append', jti: JTI, reason: undefined }]);
    expect(await appendTo(context, token)).toMatchObject({ duplicate: true, record: { index: 0 } });
    expect(await verifyFor(context, token, { minimumLevel: 'L3' })).toMatchObject({ level: 'L3' });
  });

  test('no token leaves whose pending recording is not durable', async () => {
    const { context, pending } = await makeAuthority();
    await pending.close();
    expect(await reasonOf(issueFor(context, later))).toBe('LEDGER_UNAVAILABLE');
    await context.recordings.drain();
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('every predecessor must be recorded, as for synchronous L3', async () => {
    const { context } = await makeAuthority();
    expect(await reasonOf(issueFor(context, { ...later, pred: [OTHER_JTI] }))).toBe('DAG_PREDECESSOR_MISSING');
    const pred = await recordTask(context);
    expect(await reasonOf(issueFor(context, { ...later, pred: [pred] }))).toBe('OK');
    await context.recordings.drain();
    expect((await context.ledger.checkpoint()).size).toBe(2);
  });

  test('a pending recording stays open while the ledger fails, however often, and is carried out when it answers', async () => {
    const { context, store, noticed } = await withPendingRecording();
    for (const fault of ['lost', 'lost', 'landed'] as const) {
      store.plan(fault);
      await context.recordings.sweep();
      expect(noticed).toEqual([]);
    }
    await context.recordings.sweep();
    expect(noticed).toEqual([{ event: 'background append', jti: JTI, reason: undefined }]);
    expect((await context.ledger.checkpoint()).size).toBe(1);
  });

  test('R5: of two tokens for one task at once one leaves', async () => {
    const { context } = await makeAuthority();
    const rivals = ['a', 'b', 'c'].map((execAct) => reasonOf(issueFor(context, { ...later, jti: JTI, execAct })));
    expect((await Promise.all(rivals)).sort()).toEqual(['DAG_DUPLICATE_TASK', 'DAG_DUPLICATE_TASK', 'OK']);
    await context.recordings.drain();
    expect((await context.ledger.checkpoint()).size).toBe(1);
  });

  test('R5: an entry that comes too late, because another token took its task, fails and is alarmed', async () => {
    const { context, noticed, issued } = await withPendingRecording();
    const rival = await issueFor(context, { jti: JTI, execAct: 'other' });
    await appendTo(context, rival.token);
    // The entry of the task is that of the other token.
    const failed = { status: 'failed', failure: { reason: 'DAG_DUPLICATE_TASK' } };
    const [loser, winner] = [issued.token, rival.token].map((token) => ({ ...TASK, digest: digestOfToken(token) }));
    for (const _ of ['before the sweep', 'after it']) {
      expect(await recordingOf(context)).toMatchObject({ status: 'recorded' });
      expect(await recordingOf(context, winner)).toMatchObject({ status: 'recorded' });
      expect(await recordingOf(context, loser, 5_000)).toMatchObject(failed);
      await context.recordings.sweep();
    }
    expect(noticed.map(({ event, seenBy, reason }) => [event, seenBy ?? reason])).toEqual([
      ['equivocated', 'ledger'],
      ['background append', 'DAG_DUPLICATE_TASK'],
    ]);
  });

  test('a token that is neither recorded nor pending is not that of its task, whichever token the task has', async () => {
    const { context, issued } = await withPendingRecording();
    const other = { ...TASK, digest: Buffer.alloc(32, 1) };
    expect(await reasonOf(recordingOf(context, other))).toBe('ENTRY_NOT_FOUND');
    const own = { ...TASK, digest: digestOfToken(issued.token) };
    expect(await recordingOf(context, own)).toEqual({ status: 'pending' });
    await context.recordings.sweep();
    expect(await recordingOf(context, own)).toMatchObject({ status: 'recorded' });
  });

  test('a retry under its key is the same token, and one entry', async () => {
    const { context } = await makeAuthority();
    const order = { ...later, requestId: 'order-7' };
    const [one, two] = await Promise.all([issueFor(context, order), issueFor(context, order)]);
    const third = await issueFor(context, order);
    expect(new Set([one.token, two.token, third.token]).size).toBe(1);
    await context.recordings.drain();
    expect((await issueFor(context, order)).token).toBe(one.token);
    await context.recordings.drain();
    expect((await context.ledger.checkpoint()).size).toBe(1);
  });

  test('H27: over the bound of a caller no token leaves, and none is signed twice for it', async () => {
    const { context } = await makeAuthority();
    const pending = new MemoryPendingRecordings({ total: 10, perCaller: 2 });
    const limited = beside(context, pending);
    const reasons = await Promise.all(Array.from({ length: 3 }, () => reasonOf(issueFor(limited, later))));
    expect(reasons.sort()).toEqual(['OK', 'OK', 'QUOTA_EXCEEDED']);
    await limited.recordings.drain();
    expect(await reasonOf(issueFor(limited, later))).toBe('OK');
    await limited.recordings.drain();
    expect((await context.ledger.checkpoint()).size).toBe(3);
  });
});

describe('a pending recording that its process has left', () => {
  test('is carried out by another one: the same token, in the same graph', async () => {
    const { context, pending, store, issued } = await withPendingRecording();
    const other = beside(context, pending);
    await other.recordings.sweep();
    const recording = await recordingOf(other);
    const content = recording.status === 'recorded' ? Buffer.from(recording.record.content ?? []).toString() : '';
    expect(content).toBe(issued.token);
    store.plan('lost');
    const { claims } = await issueFor(context, { ...later, pred: [JTI] });
    await context.recordings.drain();
    await other.recordings.sweep();
    // The graph was examined anew, so that the ledger vouches for the task as for any other.
    expect(await reasonOf(issueFor(context, { level: 'L3', pred: [claims.jti] }))).toBe('OK');
    expect((await context.ledger.checkpoint()).size).toBe(3);
  });

  test('is carried out although its token has expired and its key has been revoked since', async () => {
    const { context, pending, clock, signer } = await withPendingRecording({ ttlSeconds: 60 });
    clock.advance(3_600);
    const key = { kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true, revokedAt: context.now() };
    const other = beside(context, pending, { keys: new KeyRing([key]) });
    await other.recordings.sweep();
    expect(await recordingOf(other)).toMatchObject({ status: 'recorded' });
  });

  test('is verified again: a token that no key of this service signed is rejected, after its key had a day to become known', async () => {
    const { context, pending, clock } = await withPendingRecording();
    const other = beside(context, pending, { keys: new KeyRing([]) });
    await other.recordings.sweep();
    expect(await recordingOf(other)).toEqual({ status: 'pending' });
    clock.advance(24 * 3_600);
    await other.recordings.sweep();
    expect(await recordingOf(other)).toMatchObject({ status: 'failed', failure: { reason: 'KEY_UNKNOWN' } });
  });

  test('is rejected where the row holds the token of another task', async () => {
    const { context, issued } = await withPendingRecording();
    const pending = new MemoryPendingRecordings();
    const digest = digestOfToken(issued.token);
    const fields = {
      iss: '',
      caller: 'a',
      requestedAt: context.now(),
      token: issued.token,
      digest,
      provenance: undefined,
    };
    await pending.add({ wid: '', jti: OTHER_JTI, ...fields }, 0);
    const other = beside(context, pending);
    await other.recordings.sweep();
    const task = { wid: '', jti: OTHER_JTI };
    expect(await recordingOf(other, task)).toMatchObject({ status: 'failed', failure: { reason: 'ONCE_CORRUPT' } });
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('is carried out with hundreds of others, and twice at the same time makes one entry each', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context, pending } = await makeAuthority(store);
    store.plan(...Array.from({ length: 20 }, () => 'lost' as const));
    const issued = await Promise.all(Array.from({ length: 200 }, () => issueFor(context, later)));
    await context.recordings.drain();
    store.plan('none');
    for (let round = 0; round < 50 && (await context.ledger.checkpoint()).size < issued.length; round++) {
      await Promise.all([context, beside(context, pending)].map(({ recordings }) => recordings.sweep()));
    }
    expect((await context.ledger.checkpoint()).size).toBe(issued.length);
    for (const { claims } of issued) {
      expect(await recordingOf(context, { wid: '', jti: claims.jti })).toMatchObject({ status: 'recorded' });
    }
  });
});

describe('waiting for an entry', () => {
  test('ends when this process has recorded it', async () => {
    const { context } = await makeAuthority();
    await issueFor(context, { ...later, jti: JTI });
    expect(await recordingOf(context, TASK, 5_000)).toMatchObject({ status: 'recorded', record: { name: JTI } });
  });

  test('ends when another process has', async () => {
    const { context, pending } = await withPendingRecording();
    const waiting = recordingOf(context, TASK, 5_000);
    await beside(context, pending).recordings.sweep();
    expect(await waiting).toMatchObject({ status: 'recorded' });
  });

  test('ends with its time, and with the call', async () => {
    const { context } = await withPendingRecording();
    const beganMs = performance.now();
    expect(await recordingOf(context, TASK, 60)).toEqual({ status: 'pending' });
    // Timers and the clock round differently, by a millisecond or two.
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(50);
    const ending = new AbortController();
    const waiting = reasonOf(recordingOf(context, TASK, 5_000, ending.signal));
    ending.abort();
    expect(await waiting).toBe('CALL_CANCELLED');
  });

  test('H27: only so many calls of one caller wait; the others are answered at once with what is known', async () => {
    const { context } = await withPendingRecording();
    const ending = new AbortController();
    const waiting = Array.from({ length: 64 }, () => reasonOf(recordingOf(context, TASK, FOR_EVER_MS, ending.signal)));
    await recordingOf(context);
    expect(await recordingOf(context, TASK, FOR_EVER_MS)).toEqual({ status: 'pending' });
    const ben = workload('spiffe://example.org/ben');
    waiting.push(reasonOf(getRecording(context, ben, TASK, FOR_EVER_MS, ending.signal)));
    ending.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['CALL_CANCELLED']));
    expect(await recordingOf(context, TASK, 1)).toEqual({ status: 'pending' });
  });

  test('a task that was neither ordered nor recorded is not waited for', async () => {
    const { context } = await makeAuthority();
    expect(await reasonOf(recordingOf(context, TASK, 5_000))).toBe('ENTRY_NOT_FOUND');
  });
});

test('a stop waits for what is on its way, and leaves the rest to the next start', async () => {
  const { context, pending, store } = await withPendingRecording();
  store.plan('none');
  const { claims } = await issueFor(context, later);
  context.recordings.start();
  await context.recordings.stop();
  expect(await pending.find({ wid: '', jti: claims.jti })).toBeUndefined();
  await beside(context, pending).recordings.sweep();
  expect(await pending.find(TASK)).toBeUndefined();
});
