// Two callers, entries of one that the other may not read, and a store that records what it was asked.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { ledgerService } from '../../src/api/ledger.ts';
import type { AuthorityContext, Caller } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import { EctError } from '../../src/errors.ts';
import { type EntrySchema, GetEntryRequestSchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import type { Reach, RecordQuery } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { authorizerFor, policyText } from '../support/policy.ts';
import { issueFor } from './support.ts';

export const A = workload('spiffe://prod.example/a');
export const B = workload('spiffe://prod.example/b');
export const [SHARED, OF_B, NOWHERE] = [1, 2, 3].map((nth) => `a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c4${nth}`) as [
  string,
  string,
  string,
];
export const ABSENT = '550e8400-e29b-41d4-a716-446655440999';

/** A ledger in memory that records what it was asked. */
class AskedStore extends MemoryLedgerStore {
  readonly asked: string[] = [];

  override async find(scope: string, name: string) {
    this.asked.push('find');
    return super.find(scope, name);
  }

  override async at(index: number) {
    this.asked.push('at');
    return super.at(index);
  }

  override async list(query: RecordQuery) {
    this.asked.push(`list ${query.limit}`);
    return super.list(query);
  }

  override async lookUp(scope: string, names: readonly string[], reach: Reach) {
    this.asked.push(`lookUp ${names.length}`);
    return super.lookUp(scope, names, reach);
  }

  override async nodes(wanted: Parameters<MemoryLedgerStore['nodes']>[0]) {
    this.asked.push(`nodes ${wanted.length}`);
    return super.nodes(wanted);
  }
}

export async function make(policy = policyText('examples/own-entries.cedar')) {
  const store = new AskedStore();
  const { context: base, pending } = await makeAuthority(store);
  const record = (caller: Caller, wid: string) => recordFor(base, caller, wid);
  const tasks = {
    ofA: await record(A, ''),
    ofB: await record(B, ''),
    sharedByA: await record(A, SHARED),
    sharedByB: await record(B, SHARED),
    apart: await record(B, OF_B),
  };
  const context: AuthorityContext = { ...base, authorizer: authorizerFor(policy) };
  const service = ledgerService(context).procedures;
  const call = (caller: Caller): Call => ({ method: 'test', caller, signal: new AbortController().signal, note() {} });
  return { store, context, service, call, tasks, pending };
}

/** Records a task of this caller; answers its `jti`. */
export async function recordFor(context: AuthorityContext, caller: Caller, wid: string): Promise<string> {
  const issued = await issueFor(context, { wid, level: 'L3' }, caller);
  return issued.claims.jti;
}

export function named(jti: string, wid = '') {
  return create(GetEntryRequestSchema, { name: { case: 'task', value: { jti, wid } } });
}

export function taskOf(entry: MessageInitShape<typeof EntrySchema> | undefined) {
  return entry?.body?.case === 'task' ? entry.body.value : undefined;
}

export async function failureOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return 'no failure';
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    const { reason, message, metadata: facts, remedy } = error;
    // What was asked for is named in either.
    return { reason, message, remedy, metadata: Object.keys(facts) };
  }
}
