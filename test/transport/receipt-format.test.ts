// A caller gets its receipt in the form that it chooses, wherever a receipt is answered.

import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import type { Call } from '../../src/calls/call.ts';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import {
  type AppendLedgerRequestSchema,
  AuthorityService,
  BatchAppendLedgerRequestSchema,
  BatchIssueRequestSchema,
  type IssueRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService, type Receipt, ReceiptFormat } from '../../src/gen/ect/v1/ledger_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { endless, issueFor } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { AUD } from '../support/tokens.ts';

const CALL: Call = { method: 'test', caller: { kind: 'anonymous' }, signal: endless.signal, note: () => undefined };

/** Whether a message, or one within it, fulfils something. */
function has(desc: DescMessage, isMeant: (desc: DescMessage) => boolean, seen = new Set<DescMessage>()): boolean {
  if (seen.has(desc)) return false;
  seen.add(desc);
  return isMeant(desc) || desc.fields.some(({ message }) => message !== undefined && has(message, isMeant, seen));
}

const METHODS = [AuthorityService, LedgerService, KeyService, AdminService].flatMap(({ methods }) => methods);

test('every method that answers a receipt, and no other, takes its format', () => {
  const answers = METHODS.filter(({ output }) => has(output, ({ typeName }) => typeName === 'ect.v1.Receipt'));
  const takes = METHODS.filter(({ input }) =>
    has(input, ({ fields }) => fields.some(({ name }) => name === 'receipt_format')),
  );
  expect(takes.map(({ name }) => name)).toEqual(answers.map(({ name }) => name));
  expect(answers.length).toBeGreaterThan(6);
});

describe.each([
  [ReceiptFormat.UNSPECIFIED, 'inclusion'],
  [ReceiptFormat.FIELDS, 'inclusion'],
  [ReceiptFormat.TLOG_PROOF, 'tlogProof'],
])('format %i', (receiptFormat, form) => {
  const setUp = async () => {
    const { context } = await makeAuthority();
    const { procedures } = authorityService(context);
    const issue = async (request: MessageInitShape<typeof IssueRequestSchema>, requestId = '') => {
      const batch = create(BatchIssueRequestSchema, { items: [{ request }], requestId });
      const single = (await procedures.issue(batch.items[0]!.request!, CALL)) as { receipt?: Receipt };
      const { results = [] } = await procedures.batchIssue(batch, CALL);
      return [single.receipt, (results[0]?.result?.value as { receipt?: Receipt } | undefined)?.receipt];
    };
    const append = async (request: MessageInitShape<typeof AppendLedgerRequestSchema>) => {
      const batch = create(BatchAppendLedgerRequestSchema, { items: [{ request }] });
      const single = (await procedures.appendLedger(batch.items[0]!.request!, CALL)) as { receipt?: Receipt };
      const { results = [] } = await procedures.batchAppendLedger(batch, CALL);
      return [single.receipt, (results[0]?.result?.value as { receipt?: Receipt } | undefined)?.receipt];
    };
    return { context, issue, append };
  };

  test(`is answered as ${form} by Issue, BatchIssue, AppendLedger, its repetition, its dry run and the batch`, async () => {
    const { context, issue, append } = await setUp();
    const order = { execAct: 'a', aud: [AUD], level: Level.L3, receiptFormat };
    const { token } = await issueFor(context);
    const receipts = [
      ...(await issue(order)),
      ...(await issue(order, 'batch-1')),
      ...(await append({ token, receiptFormat })),
      ...(await append({ token, receiptFormat, dryRun: true })),
    ];
    expect(receipts.map((receipt) => receipt?.proof.case)).toEqual(receipts.map(() => form));
  });
});

test('a retry under a request id may ask for another format, and gets the same token', async () => {
  const { context } = await makeAuthority();
  const { procedures } = authorityService(context);
  const order = { execAct: 'a', aud: [AUD], level: Level.L3, requestId: 'r' };
  const issue = async (receiptFormat: ReceiptFormat) => {
    const { items } = create(BatchIssueRequestSchema, { items: [{ request: { ...order, receiptFormat } }] });
    return (await procedures.issue(items[0]!.request!, CALL)) as { readonly token: string; readonly receipt?: Receipt };
  };
  const [first, second] = [await issue(ReceiptFormat.FIELDS), await issue(ReceiptFormat.TLOG_PROOF)];
  expect(second.token).toBe(first.token);
  expect([first.receipt?.proof.case, second.receipt?.proof.case]).toEqual(['inclusion', 'tlogProof']);
});

test('a format that the service does not know is rejected in its field, before anything is recorded', async () => {
  const { context } = await makeAuthority();
  const { procedures } = authorityService(context);
  const { token } = await issueFor(context);
  const receiptFormat = 9 as ReceiptFormat;
  const batch = create(BatchAppendLedgerRequestSchema, { items: [{ request: { token, receiptFormat } }] });
  const field = 'receipt_format';
  await expect(procedures.appendLedger(batch.items[0]!.request!, CALL)).rejects.toMatchObject({ metadata: { field } });
  const { results = [] } = await procedures.batchAppendLedger(batch, CALL);
  expect(results[0]?.result?.case).toBe('error');
  expect((await context.ledger.checkpoint()).size).toBe(0);
});
