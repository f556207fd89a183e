// ect.v1.LedgerService over a ledger in memory, with a client in this process.

import { create } from '@bufbuild/protobuf';
import { ledgerService } from '../../src/api/ledger.ts';
import {
  type AuthorityContext,
  asLossCandidate,
  type CompromisedSubject,
  markCompromised,
} from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import {
  type Entry,
  GetEntryRequestSchema,
  GetWorkflowRequestSchema,
  GetWorkflowResponseSchema,
  ListEntriesRequestSchema,
  ListEntriesResponseSchema,
  ReceiptFormat,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { workload } from '../support/callers.ts';

export const ADMIN = 'spiffe://example.com/admin';
export const call: Call = {
  method: 'test',
  caller: workload(ADMIN),
  signal: new AbortController().signal,
  note() {},
};

export type ListFields = Exclude<Parameters<typeof create<typeof ListEntriesRequestSchema>>[1], undefined>;

/** The service as a client of it, without a wire. */
export function clientOf(context: AuthorityContext) {
  const { getEntry, getWorkflow, listEntries } = ledgerService(context).procedures;
  return {
    entry: async (index: number, receiptFormat: ReceiptFormat = ReceiptFormat.UNSPECIFIED) => {
      const name = { case: 'index', value: BigInt(index) } as const;
      return getEntry(create(GetEntryRequestSchema, { name, receiptFormat }), call);
    },
    workflow: async (wid: string) =>
      create(GetWorkflowResponseSchema, await getWorkflow(create(GetWorkflowRequestSchema, { wid }), call)),
    list: async (fields: ListFields) =>
      create(ListEntriesResponseSchema, await listEntries(create(ListEntriesRequestSchema, fields), call)),
    mark: (subject: CompromisedSubject) => markCompromised(context, call.caller, { subject, note: 'n' }, call.signal),
  };
}

export const kindsOf = (entries: readonly Entry[]) => entries.map(({ body }) => body.case);
export const indexesOf = (entries: readonly Entry[]) => entries.map(({ index }) => Number(index));
export const lossOf = (size: number) =>
  asLossCandidate({ checkpoint: 'shown', size, root: Buffer.alloc(32, 7), recordedAtMs: 0 }, 'n');
