// How large an answer can become, said from its request alone: never less than it has, and not much more.

import { create, createRegistry, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import {
  BatchAppendLedgerRequestSchema,
  BatchAppendLedgerResponseSchema,
  type BatchIssueItemSchema,
  BatchIssueRequestSchema,
  type BatchIssueResponse,
  BatchIssueResponseSchema,
  BatchVerifyRequestSchema,
  BatchVerifyResponseSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { Draft, Level } from '../../src/gen/ect/v1/token_pb.ts';
import { file_google_rpc_error_details } from '../../src/gen/google/rpc/error_details_pb.ts';
import { writtenBytes } from '../../src/rpc/answer-room.ts';
import { authorityService } from '../../src/rpc/authority.ts';
import type { Call } from '../../src/rpc/call.ts';
import { makeAuthority } from '../support/authority.ts';
import { fc } from '../support/random.ts';
import { AUD } from '../support/tokens.ts';

const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => {},
};
const DETAILS = createRegistry(file_google_rpc_error_details);
const JSON_FORM = { isFramed: false, codec: 'json', encoding: 'identity' } as const;

type Order = NonNullable<MessageInitShape<typeof BatchIssueItemSchema>['request']>;

const { parts } = await makeAuthority();
const { procedures, answerBytes } = authorityService(parts);

/** Bounds and sizes of an issue, and of an append and a verification of what was issued. */
async function sizesOf(orders: readonly Order[]) {
  const items = orders.map((request, at) => ({ reference: `item ${at}`, request }));
  const request = create(BatchIssueRequestSchema, { items });
  const issueBound = (await answerBytes?.batchIssue?.(request, CALL)) ?? 0;
  const issued = create(BatchIssueResponseSchema, await procedures.batchIssue(request, CALL)) as BatchIssueResponse;
  const tokens = issued.results.flatMap(({ result }) =>
    result.case === 'response' && result.value.token !== '' ? [result.value.token] : [],
  );
  const append = create(BatchAppendLedgerRequestSchema, { items: tokens.map((token) => ({ request: { token } })) });
  const verify = create(BatchVerifyRequestSchema, {
    items: tokens.map((token) => ({ request: { token, audience: AUD } })),
  });
  const rows = [{ bound: issueBound, schema: BatchIssueResponseSchema, answer: issued as object }];
  if (tokens.length > 0) {
    const [appendBound, verifyBound] = [
      (await answerBytes?.batchAppendLedger?.(append, CALL)) ?? 0,
      (await answerBytes?.batchVerify?.(verify, CALL)) ?? 0,
    ];
    const appended = create(BatchAppendLedgerResponseSchema, await procedures.batchAppendLedger(append, CALL));
    const verified = create(BatchVerifyResponseSchema, await procedures.batchVerify(verify, CALL));
    rows.push({ bound: appendBound, schema: BatchAppendLedgerResponseSchema as never, answer: appended });
    rows.push({ bound: verifyBound, schema: BatchVerifyResponseSchema as never, answer: verified });
  }
  return rows.map(({ bound, schema, answer }) => ({
    what: schema.typeName,
    bound,
    boundOfJson: writtenBytes(bound, JSON_FORM),
    bytes: toBinary(schema, answer as never).length,
    bytesOfJson: JSON.stringify(toJson(schema, answer as never, { alwaysEmitImplicit: true, registry: DETAILS }))
      .length,
  }));
}

/** Of an item: its proof in a tree that has grown meanwhile, or an error in its place. */
const SPARE_BYTES = 600;
const ROOT: Order = { execAct: 'review', aud: [AUD], level: Level.L3 };

describe('H24 the bound of an answer', () => {
  test.each<[string, Order]>([
    ['the smallest tokens', { execAct: 'a', aud: [AUD] }],
    ['recorded ones', ROOT],
    [
      'recorded ones with a large extension',
      { ...ROOT, extension: { case: 'ectExt', value: { note: 'x'.repeat(1_000) } } },
    ],
    [
      'hashes',
      {
        ...ROOT,
        inputBinding: { case: 'input', value: new Uint8Array(9) },
        outputBinding: { case: 'output', value: new Uint8Array(9) },
      },
    ],
  ])('is not far above it for 100 of %s', async (_, order) => {
    const [issue] = await sizesOf(Array.from({ length: 100 }, () => order));
    expect(issue?.bound).toBeGreaterThanOrEqual(issue?.bytes ?? 0);
    expect(issue?.bound).toBeLessThan(1.15 * (issue?.bytes ?? 0) + 100 * SPARE_BYTES);
  });

  test('a batch of 1,000 recorded tokens is within what gRPC clients read', async () => {
    const items = Array.from({ length: 1_000 }, () => ({ reference: 'r', request: ROOT }));
    expect(await answerBytes?.batchIssue?.(create(BatchIssueRequestSchema, { items }), CALL)).toBeLessThan(4 << 20);
  });

  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  const order: fc.Arbitrary<Order> = fc.record({
    execAct: text,
    aud: fc.array(fc.oneof(fc.constant(AUD), text), { minLength: 1, maxLength: 3 }),
    level: fc.constantFrom(Level.UNSPECIFIED, Level.L1, Level.L2, Level.L3),
    draft: fc.constantFrom(Draft.DRAFT_01, Draft.DRAFT_00),
    wid: fc.oneof(fc.constant(''), fc.uuid()),
    pred: fc.array(fc.uuid(), { maxLength: 4 }),
    dryRun: fc.boolean(),
    extension: fc.oneof(
      fc.constant({ case: undefined }),
      fc
        .dictionary(text, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })
        .map((value) => ({ case: 'ectExtJson' as const, value: JSON.stringify(value) })),
      fc
        .dictionary(text, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })
        .map((value) => ({ case: 'ectExt' as const, value: value as never })),
    ),
  });

  test('is never below it, whatever is asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            order,
            order.map((any) => ({
              ...any,
              execAct: 'a',
              aud: [AUD],
              pred: [],
              draft: Draft.DRAFT_01,
              dryRun: false,
            })),
          ),
          { minLength: 1, maxLength: 6 },
        ),
        async (orders) => {
          for (const { what, bound, bytes, boundOfJson, bytesOfJson } of await sizesOf(orders)) {
            expect(bytes, what).toBeLessThanOrEqual(bound);
            expect(bytesOfJson, `${what} in JSON`).toBeLessThanOrEqual(boundOfJson);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
