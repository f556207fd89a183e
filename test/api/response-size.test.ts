// How large an answer can become, said from its request alone: never less than it has, and not much more.

import { randomUUID } from 'node:crypto';
import { create, createRegistry, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { DetailBudget, faultBytes, verdictDetailBytes } from '../../src/api/detail-budget.ts';
import { writeVerdict } from '../../src/api/responses.ts';
import { VERIFY_STEPS } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import {
  BatchAppendLedgerRequestSchema,
  BatchAppendLedgerResponseSchema,
  type BatchIssueItemSchema,
  BatchIssueRequestSchema,
  type BatchIssueResponse,
  BatchIssueResponseSchema,
  type BatchVerifyItemSchema,
  BatchVerifyRequestSchema,
  BatchVerifyResponseSchema,
  DagMode,
  type IssueResponse,
  ReplayMode,
  VerifyMode,
  VerifyRequestSchema,
  VerifyResponseSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorReason } from '../../src/gen/ect/v1/error_reason_pb.ts';
import { Draft, Level } from '../../src/gen/ect/v1/token_pb.ts';
import { file_google_rpc_error_details } from '../../src/gen/google/rpc/error_details_pb.ts';
import { writtenBytes } from '../../src/transport/response-memory.ts';
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

const { context } = await makeAuthority();
const { procedures, answerBytes } = authorityService(context);

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

/** Of an item: its proof in a tree that has grown for a day, or an error in its place. */
const SPARE_BYTES = 950;
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
    // Rejected requests may say more than others: the batch has room for that.
    expect(issue!.bound - faultBytes(100)).toBeLessThan(1.15 * issue!.bytes + 100 * SPARE_BYTES);
  });

  test('a batch of 1,000 recorded tokens is within what gRPC clients read', async () => {
    const items = Array.from({ length: 1_000 }, () => ({ reference: 'r', request: ROOT }));
    expect(await answerBytes?.batchIssue?.(create(BatchIssueRequestSchema, { items }), CALL)).toBeLessThan(4 << 20);
  });

  test('is not below it for a text of an extension with more UTF-16 units than it may have characters', async () => {
    const value = `{"a":"${'\u{1f600}'.repeat(650)}"${' '.repeat(9_000)}}`;
    const orders = Array.from({ length: 5 }, () => ({ ...ROOT, extension: { case: 'ectExtJson' as const, value } }));
    const sizes = await sizesOf(orders);
    expect(sizes).toHaveLength(3);
    for (const { what, bound, bytes } of sizes) expect(bytes, what).toBeLessThanOrEqual(bound);
  });

  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  const order: fc.Arbitrary<Order> = fc.record({
    execAct: text,
    aud: fc.array(fc.oneof(fc.constant(AUD), text), { minLength: 1, maxLength: 3 }),
    level: fc.constantFrom(Level.UNSPECIFIED, Level.L1, Level.L2, Level.L3),
    draft: fc.constantFrom(Draft.ECT_01, Draft.ECT_00),
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

  test('is never below it, for any request', async () => {
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
              draft: Draft.ECT_01,
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

/** A bound in proto and in JSON, and an answer. */
function expectWithin(bound: number, schema: typeof BatchVerifyResponseSchema, answer: object): void {
  const message = create(schema, answer as never);
  expect(toBinary(schema, message).length).toBeLessThanOrEqual(bound);
  const text = JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true, registry: DETAILS }));
  expect(text.length).toBeLessThanOrEqual(writtenBytes(bound, JSON_FORM));
}

type Look = NonNullable<MessageInitShape<typeof BatchVerifyItemSchema>['request']>;

async function verdictsOf(service: ReturnType<typeof authorityService>, requests: readonly Look[]) {
  const request = create(BatchVerifyRequestSchema, { items: requests.map((of) => ({ request: of })) });
  const bound = (await service.answerBytes?.batchVerify?.(request, CALL)) ?? 0;
  const answer = create(BatchVerifyResponseSchema, await service.procedures.batchVerify(request, CALL));
  expectWithin(bound, BatchVerifyResponseSchema, answer);
  return answer.results.map(({ result }) => (result.case === 'response' ? result.value : undefined));
}

async function tokenOf(service: ReturnType<typeof authorityService>, order: Order): Promise<string> {
  const request = create(BatchIssueRequestSchema, { items: [{ request: order }] });
  const issued = create(BatchIssueResponseSchema, await service.procedures.batchIssue(request, CALL));
  const [first] = issued.results;
  if (first?.result.case !== 'response') throw new TypeError('not issued');
  return first.result.value.token;
}

describe('H24 what few results have much of', () => {
  const manyParties = Array.from({ length: 5 }, (_, at) => `urn:${at}:${'x'.repeat(1_900)}`);

  test.each([1, 40])('both tokens of %i equivocation(s) are within the bound', async (count) => {
    const service = authorityService((await makeAuthority()).context);
    const ids = Array.from({ length: count }, () => randomUUID());
    const first = await Promise.all(
      ids.map((jti) => tokenOf(service, { execAct: 'a', aud: [AUD, ...manyParties], jti })),
    );
    const second = await Promise.all(ids.map((jti) => tokenOf(service, { execAct: 'b', aud: [AUD], jti })));
    await verdictsOf(
      service,
      first.map((token) => ({ token, audience: AUD })),
    );
    const verdicts = await verdictsOf(
      service,
      second.map((token) => ({ token, audience: AUD })),
    );
    for (const verdict of verdicts) expect(verdict?.finding?.reason).toBe(ErrorReason.TOKEN_EQUIVOCATED);
    const shown = verdicts.filter((verdict) => verdict?.equivocation !== undefined);
    expect(shown.length).toBeGreaterThanOrEqual(Math.min(count, 10));
    for (const verdict of shown) expect(verdict?.equivocation?.otherSigningInput.length).toBeGreaterThan(12_000);
    // Alone, each of them is reported in full.
    const [last] = second.slice(-1);
    const alone = await service.procedures.verify(
      create(VerifyRequestSchema, { token: last ?? '', audience: AUD }),
      CALL,
    );
    expect(alone.equivocation).toBeDefined();
  });

  test.each([1, 100])('the unresolved predecessors of %i token(s) are within the bound', async (count) => {
    const service = authorityService((await makeAuthority()).context);
    const pred = Array.from({ length: 100 }, () => randomUUID());
    const tokens = await Promise.all(
      Array.from({ length: count }, () => tokenOf(service, { execAct: 'a', aud: [AUD], pred })),
    );
    const look = {
      audience: AUD,
      dagMode: DagMode.COMPLETE,
      verifyMode: VerifyMode.REPORT,
      replayMode: ReplayMode.SKIP,
    };
    const verdicts = await verdictsOf(
      service,
      tokens.map((token) => ({ token, ...look })),
    );
    for (const verdict of verdicts) expect(verdict?.valid).toBe(false);
    expect(verdicts[0]?.dagReport).toMatchObject({ omitted: 0 });
    expect(verdicts[0]?.dagReport?.unresolved).toHaveLength(100);
    // What does not go in is counted.
    const { unresolved = [], omitted = 0 } = verdicts.at(-1)?.dagReport ?? {};
    expect(unresolved.length + omitted).toBeGreaterThanOrEqual(100);
  });

  test('ids that are no UUID are within the bound of what is recorded', async () => {
    const policyOfText = { ...context.policy.token, ids: 'text' as const };
    const service = authorityService((await makeAuthority(undefined, { token: policyOfText })).context);
    const wid = '"'.repeat(256);
    const pred = Array.from({ length: 100 }, (_, at) => `t${at}`);
    const roots = pred.map((jti) => ({ request: { ...ROOT, jti, wid } }));
    await service.procedures.batchIssue(create(BatchIssueRequestSchema, { items: roots }), CALL);
    const request = create(BatchIssueRequestSchema, { items: [{ request: { ...ROOT, pred } }] });
    const bound = (await service.answerBytes?.batchIssue?.(request, CALL)) ?? 0;
    const answer = create(BatchIssueResponseSchema, await service.procedures.batchIssue(request, CALL));
    expect(answer.results[0]?.result.case).toBe('response');
    expectWithin(bound, BatchIssueResponseSchema as never, answer);
    const issued = answer.results[0]?.result.value as IssueResponse;
    const append = create(BatchAppendLedgerRequestSchema, { items: [{ request: { token: issued.token } }] });
    const appendBound = (await service.answerBytes?.batchAppendLedger?.(append, CALL)) ?? 0;
    const appended = await service.procedures.batchAppendLedger(append, CALL);
    expectWithin(appendBound, BatchAppendLedgerResponseSchema as never, appended);
  });
});

test('H24 a batch of 1,000 tokens with ten predecessors each is no large answer', async () => {
  const pred = Array.from({ length: 10 }, () => randomUUID());
  const items = Array.from({ length: 1_000 }, () => ({ request: { execAct: 'review', aud: [AUD], pred } }));
  const request = create(BatchIssueRequestSchema, { items });
  const bound = (await answerBytes?.batchIssue?.(request, CALL)) ?? 0;
  expect(bound).toBeLessThan(4 << 20);
  const answer = await procedures.batchIssue(request, CALL);
  expectWithin(bound, BatchIssueResponseSchema as never, answer);
});

test('H24 the rows of a report fit where each step fails, and there is no room for what their findings say', async () => {
  const outcomes = VERIFY_STEPS.map(() => 'FAIL' as const);
  const rejection = { reason: 'IAT_IN_FUTURE' as const, message: 'x'.repeat(512), metadata: { jti: 'x'.repeat(256) } };
  const failures = VERIFY_STEPS.map((_, step) => ({ step, rejection }));
  const none = { level: undefined, token: undefined, dag: undefined, equivocation: undefined };
  const verdict = writeVerdict({ ...none, rejection, outcomes, failures }, 'report', new DetailBudget(0));
  const message = create(VerifyResponseSchema, verdict);
  expect(message.checks.every(({ finding }) => finding?.reason === ErrorReason.IAT_IN_FUTURE)).toBe(true);
  const request = create(BatchVerifyRequestSchema, { items: [{ request: { verifyMode: VerifyMode.REPORT } }] });
  const bound = (await answerBytes?.batchVerify?.(request, CALL)) ?? 0;
  expect(toBinary(VerifyResponseSchema, message).length).toBeLessThanOrEqual(bound - verdictDetailBytes(request.items));
});

test('H24 a batch of 1,000 reports on usual tokens with their graphs is no large answer', async () => {
  const token = await tokenOf(authorityService(context), { execAct: 'review_document', aud: [AUD] });
  const look = { token, audience: AUD, dagMode: DagMode.COMPLETE, verifyMode: VerifyMode.REPORT };
  const request = create(BatchVerifyRequestSchema, { items: Array.from({ length: 1_000 }, () => ({ request: look })) });
  expect(await answerBytes?.batchVerify?.(request, CALL)).toBeLessThan(4 << 20);
});
