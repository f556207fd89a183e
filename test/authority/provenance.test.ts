// What an entry says of who had it recorded: of the moment at which the policy decided, whatever becomes of the policy, of the process
// or of the request afterwards.

import { expect, test } from 'vitest';
import {
  type AuthorityContext,
  type Authorizer,
  append,
  appendBatch,
  type Caller,
  markCompromised,
  Recordings,
  readPending,
  readProvenance,
} from '../../src/authority/index.ts';
import { contentFault, type LedgerRecord, statedProvenance } from '../../src/ledger/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { JTI, OTHER_JTI } from '../support/tokens.ts';
import { issueFor } from './support.ts';

const A = workload('spiffe://example.org/a');
const B = workload('spiffe://example.org/b');
const endless = new AbortController();

/** Permits everything, under the digest that is in force. */
function policyOf(state: { digest: string }): Authorizer {
  return {
    authorize: () => ({ allowed: true, policies: ['all'], errors: [], digest: state.digest }),
    asksFor: () => false,
    obligationsOf: () => ({}),
    isBuiltIn: false,
    get digest() {
      return state.digest;
    },
    rejected: () => undefined,
  };
}

async function open() {
  const made = await makeAuthority();
  const state = { digest: 'first' };
  const context: AuthorityContext = { ...made.context, authorizer: policyOf(state) };
  return { ...made, context, state };
}

const said = (record: LedgerRecord | null | undefined) => {
  if (record === undefined || record === null) return 'no entry';
  expect(contentFault(record)).toBeUndefined();
  return record.provenance === null ? 'nothing' : readProvenance(statedProvenance(record.provenance));
};
const by = (caller: Caller, action: string, policy: string) => ({
  action,
  by: 'example.org',
  caller: caller.kind === 'anonymous' ? '' : caller.id,
  policy,
  proof: 'mtls',
  strength: 'possession',
});

test('an entry of Issue names its caller, the proof and the policy that allowed it', async () => {
  const { context } = await open();
  await issueFor(context, { level: 'L3', jti: JTI }, A);
  expect(said(await context.ledger.find('', JTI))).toEqual(by(A, 'Issue', 'first'));
});

test('an entry of an anonymous caller says that nothing was proven', async () => {
  const { context } = await open();
  await issueFor(context, { level: 'L3', jti: JTI }, { kind: 'anonymous' });
  const nothing = { by: '', caller: '', proof: 'none', strength: 'none' };
  expect(said(await context.ledger.find('', JTI))).toEqual({ action: 'Issue', policy: 'first', ...nothing });
});

test('an entry of AppendLedger names who appended the token, not whom it is of, and the policy of its own decision', async () => {
  const { context, state } = await open();
  const { token } = await issueFor(context, { jti: JTI }, A);
  state.digest = 'third';
  const { record } = await append(context, B, token, endless.signal, 'second');
  expect(said(record)).toEqual(by(B, 'AppendLedger', 'second'));
  // Who appends it again finds the entry, and adds nothing to it.
  const again = await append(context, A, token, endless.signal, 'third');
  expect([again.duplicate, said(again.record)]).toEqual([true, by(B, 'AppendLedger', 'second')]);
});

test('each item of a batch names the policy by which it was allowed', async () => {
  const { context } = await open();
  const tokens = await Promise.all([JTI, OTHER_JTI].map((jti) => issueFor(context, { jti }, A)));
  const texts = tokens.map(({ token }) => token);
  await appendBatch(context, B, texts, endless.signal, ['first', 'second']);
  expect(said(await context.ledger.find('', JTI))).toEqual(by(B, 'AppendLedger', 'first'));
  expect(said(await context.ledger.find('', OTHER_JTI))).toEqual(by(B, 'AppendLedger', 'second'));
});

test('an entry that another process writes later says what held when the token was issued', async () => {
  const { context, state, pending } = await open();
  // The process that placed it writes nothing.
  const silent = new Recordings({
    pendingRecordings: pending,
    ledger: { append: () => new Promise(() => undefined) } as never,
    notices: context.notices,
    earliest: context.earliest,
    reread: (order) => readPending(context, order),
    leaseMs: 0,
  });
  await issueFor({ ...context, recordings: silent }, { level: 'L3', record: 'async', jti: JTI }, A);
  state.digest = 'second';
  await context.recordings.sweep();
  expect(said(await context.ledger.find('', JTI))).toEqual(by(A, 'Issue', 'first'));
});

test('a pending recording of an earlier release, or one whose words are none of ours, leads to an entry that says nothing', async () => {
  for (const provenance of [undefined, Buffer.from('{"caller":"admin"}')]) {
    const { context, pending } = await open();
    const silent = { add: (order: never) => pending.add({ ...(order as object), provenance } as never, 0) };
    await issueFor({ ...context, recordings: silent as never }, { level: 'L3', record: 'async', jti: JTI }, A);
    await context.recordings.sweep();
    expect(said(await context.ledger.find('', JTI))).toBe('nothing');
  }
});

test('a retry under a request id finds the entry; one that makes up for a lost entry says what allowed the retry', async () => {
  const { context, state } = await open();
  const order = { level: 'L3', requestId: 'r-1' } as const;
  const lost = { append: () => Promise.reject(new Error('lost')) };
  const failing = Object.assign(Object.create(context.ledger) as typeof context.ledger, lost);
  await expect(issueFor({ ...context, ledger: failing }, order, A)).rejects.toThrow('lost');
  state.digest = 'second';
  const { claims } = await issueFor(context, order, A);
  expect(said(await context.ledger.find('', claims.jti))).toEqual(by(A, 'Issue', 'second'));
  state.digest = 'third';
  expect((await issueFor(context, order, A)).claims.jti).toBe(claims.jti);
  expect(said(await context.ledger.find('', claims.jti))).toEqual(by(A, 'Issue', 'second'));
});

test('a mark names the administrator with its proof', async () => {
  const { context } = await open();
  const order = { subject: { kind: 'task', jti: JTI, wid: '' }, note: '' } as const;
  const { record } = await markCompromised(context, A, order, endless.signal);
  expect(said(record)).toEqual(by(A, 'MarkCompromised', 'first'));
});

test('no entry is written before the policy that it names is kept', async () => {
  const { context } = await open();
  const full = { kept: () => Promise.reject(new Error('no space')) };
  await expect(issueFor({ ...context, policies: full }, { level: 'L3', jti: JTI }, A)).rejects.toThrow('no space');
  expect((await context.ledger.checkpoint()).size).toBe(0);
});

test('a key of ours ends under a policy that is kept, also where its mark was there before', async () => {
  const { context } = await open();
  const order = { subject: { kind: 'key', kid: 'k', sinceMs: 0 }, note: '' } as const;
  await markCompromised(context, A, order, endless.signal);
  const steps: string[] = [];
  const policies = { kept: async () => void steps.push('kept') };
  const ownKeys = { speakFor: () => true, revokeOwn: async () => steps.push('ended') > 0 };
  const { duplicate } = await markCompromised({ ...context, policies, ownKeys }, A, order, endless.signal);
  expect([duplicate, ...steps]).toEqual([true, 'kept', 'ended']);
});

test('names are bounded whatever they hold, and what is no provenance of ours is read as none', async () => {
  const { context } = await open();
  const long = { ...workload(`spiffe://example.org/${'x'.repeat(20_000)}`) };
  const { record } = await markCompromised(
    context,
    long,
    { subject: { kind: 'task', jti: JTI, wid: '' }, note: '' },
    endless.signal,
  );
  expect(record.provenance!.length).toBeLessThan(8_192);
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '{"caller":1}',
    '{"action":"Fly","caller":"","by":"","policy":"","proof":"none","strength":"none"}',
  ]) {
    expect(readProvenance(Buffer.from(text))).toBeUndefined();
  }
});
