// The bound of a response is an upper bound: for every legal request, in every view of the response, in protobuf and in JSON. The texts
// are those that a bound underestimates most easily: of three bytes a character, with escapes, and as long as their fields allow.

import { randomUUID } from 'node:crypto';
import { create, type DescMessage, toBinary } from '@bufbuild/protobuf';
import { afterAll, describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { DetailBudget } from '../../src/api/detail-budget.ts';
import { findingBytes } from '../../src/api/findings.ts';
import { ERROR_BYTES, toItemFinding } from '../../src/api/item-errors.ts';
import { MAX_ANSWER_BYTES } from '../../src/calls/message-limits.ts';
import { reject } from '../../src/errors.ts';
import {
  BatchAppendLedgerResponseSchema,
  BatchIssueRequestSchema,
  BatchIssueResponseSchema,
  BatchVerifyResponseSchema,
  RecordMode,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ReceiptFormat } from '../../src/gen/ect/v1/ledger_pb.ts';
import { Draft, FindingSchema, Level } from '../../src/gen/ect/v1/token_pb.ts';
import { fc } from '../support/random.ts';
import { AUD, makeToken } from '../support/tokens.ts';
import { CALL, call, type Issue, issue, LONG_KID, readAll, seen, serviceOf } from './response-bounds.ts';

const ROOT: Issue = { execAct: 'a', aud: [AUD] };
const text = (value: object) => ({ case: 'ectExtJson', value: JSON.stringify(value) }) as const;
const POLICY = { pol: '漢'.repeat(400), pol_decision: 'pending_human_review', pol_enforcer: '字'.repeat(400) };
const WHOLE_POLICY = {
  ...POLICY,
  pol_timestamp: 253_402_300_799,
  compensation_required: true,
  compensation_reason: '文'.repeat(400),
};

/** What may be in a token, as large as it may be. */
const CASES: readonly (readonly [string, Issue])[] = [
  ['nothing more than must be', ROOT],
  ['a policy decision in three-byte characters', { ...ROOT, extension: text({ ...POLICY, pol: '漢'.repeat(800) }) }],
  ['every policy claim', { ...ROOT, extension: text(WHOLE_POLICY) }],
  ['policy claims as a Struct', { ...ROOT, extension: { case: 'ectExt', value: WHOLE_POLICY } as never }],
  ['policy claims with escapes', { ...ROOT, extension: text({ ...POLICY, pol: '"\\'.repeat(200) }) }],
  [
    'an extension of small members',
    { ...ROOT, extension: text(Object.fromEntries([...Array(400)].map((_, at) => [at, 1]))) },
  ],
  ['an extension of small elements', { ...ROOT, extension: text({ a: [...Array(2_000)].map(() => 1) }) }],
  ['an extension of empty objects', { ...ROOT, extension: text({ a: [...Array(1_300)].map(() => ({})) }) }],
  [
    'parties of three bytes a character',
    { ...ROOT, aud: [AUD, ...[1, 2].map((at) => `urn:${at}:${'漢'.repeat(600)}`)] },
  ],
  ['many parties', { ...ROOT, aud: [AUD, ...[...Array(63)].map((_, at) => `urn:${at}`)] }],
  ['an action of three bytes a character', { ...ROOT, execAct: '漢'.repeat(256) }],
  ['an action with escapes', { ...ROOT, execAct: '"'.repeat(256) }],
  ['predecessors that nobody knows', { ...ROOT, pred: [...Array(100)].map(() => randomUUID()), wid: randomUUID() }],
  [
    'hashes',
    {
      ...ROOT,
      inputBinding: { case: 'input', value: new Uint8Array(9) },
      outputBinding: { case: 'output', value: new Uint8Array(9) },
    },
  ],
];

describe('H24 the bound of a batch is never below its response', () => {
  const views = [Draft.ECT_01, Draft.ECT_00].flatMap((draft) =>
    [Level.L1, Level.L2, Level.L3].map((level) => ({ draft, level })),
  );

  test.each(CASES)('whose tokens have %s', async (_, request) => {
    const service = await serviceOf();
    for (const { draft, level } of views) {
      if (draft === Draft.ECT_00 && level === Level.L1) continue;
      if (level === Level.L3 && (request.pred?.length ?? 0) > 0) continue;
      const wanted = { ...request, draft, level };
      const tokens = await issue(service, [wanted, { ...wanted, receiptFormat: ReceiptFormat.TLOG_PROOF }]);
      await issue(service, [
        { ...wanted, dryRun: true },
        { ...wanted, wid: randomUUID(), dryRun: true },
      ]);
      await readAll(service, tokens);
    }
  });

  test('whose tokens name recorded predecessors, and are recorded later', async () => {
    const service = await serviceOf();
    const pred = [...Array(100)].map(() => randomUUID());
    const wid = randomUUID();
    await issue(
      service,
      pred.map((jti) => ({ ...ROOT, jti, wid, level: Level.L3 })),
    );
    const follower = { ...ROOT, pred, wid, level: Level.L3 };
    const tokens = await issue(service, [follower, { ...follower, recordMode: RecordMode.ASYNC }]);
    await readAll(service, tokens);
  });

  test.each([
    ['white space before an unsigned object', (token: string) => `\n\t ${token}`],
    ['base64url of an unsigned object', (token: string) => Buffer.from(token).toString('base64url')],
  ])('whose tokens have %s', async (_, write) => {
    const service = await serviceOf();
    const aud = [AUD, 'urn:a.b.c'];
    const tokens = await issue(service, [{ ...ROOT, aud, level: Level.L1, extension: text(WHOLE_POLICY) }]);
    await readAll(service, tokens.map(write));
  });

  test('whose tokens are of another issuer, with the longest ids of keys', async () => {
    const service = await serviceOf();
    const claims = { ...WHOLE_POLICY, jti: randomUUID(), pred: undefined, par: [], exec_act: '漢'.repeat(256) };
    const members = { kid: LONG_KID, typ: 'wimse-exec+jwt' };
    const named = makeToken({ jti: randomUUID() }, { kid: LONG_KID });
    await readAll(service, [makeToken(claims, members), named]);
  });

  test('whose verdicts name ids that are no UUID', async () => {
    const service = await serviceOf({ ids: 'text' });
    const long = (at: number) => String(at).padEnd(256, '"');
    const pred = [1, 2, 3, 4, 5, 6].map(long);
    const follower = { ...ROOT, pred, jti: long(7), wid: long(8) };
    const tokens = await issue(
      service,
      [...Array(20)].map((_, at) => ({ ...follower, jti: long(100 + at) })),
    );
    await readAll(service, tokens);
  });

  test('whose items are rejected', async () => {
    const service = await serviceOf();
    const iss = `urn:${'漢'.repeat(256)}`;
    await call(
      service,
      'batchIssue',
      [...Array(200)].map(() => ({ ...ROOT, iss, aud: ['漢'.repeat(2_000)] })),
    );
    await call(
      service,
      'batchIssue',
      [...Array(200)].map(() => ({ ...ROOT, execAct: '\u0001', dryRun: true })),
    );
    await readAll(
      service,
      [...Array(200)].map((_, at) => `${at}`),
    );
    await call(
      service,
      'batchVerify',
      [...Array(200)].map(() => ({ predecessorTokens: ['a', 'b'] })),
    );
  });

  /** Texts of few characters that matter: an escape, three bytes, four bytes, a sign of JSON. */
  const odd = fc.string({
    unit: fc.constantFrom('"', '\\', '漢', '\u{1f600}', 'a', ':', '{', '\u2028', '\u007f'),
    maxLength: 60,
  });
  const policyClaims = fc.record(
    { pol: odd, pol_decision: fc.constantFrom('approved', 'rejected'), pol_enforcer: odd, compensation_reason: odd },
    { requiredKeys: ['pol', 'pol_decision'] },
  );
  const request: fc.Arbitrary<Issue> = fc.record({
    execAct: odd.map((action) => `a${action}`),
    aud: fc.array(fc.oneof(fc.constant('urn:other'), odd), { maxLength: 2 }).map((others) => [AUD, ...new Set(others)]),
    level: fc.constantFrom(Level.L1, Level.L2, Level.L3),
    draft: fc.constantFrom(Draft.ECT_01, Draft.ECT_00),
    wid: fc.oneof(fc.constant(''), fc.uuid()),
    dryRun: fc.boolean(),
    receiptFormat: fc.constantFrom(ReceiptFormat.FIELDS, ReceiptFormat.TLOG_PROOF),
    extension: fc
      .record({ claims: policyClaims, more: fc.dictionary(odd, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 }) })
      .map(({ claims, more }) => text({ ...more, ...claims })),
  });

  test('for any requests', async () => {
    const service = await serviceOf();
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 4 }), odd, async (requests, reference) => {
        const results = await call(service, 'batchIssue', requests, reference.slice(0, 30));
        const tokens = results.flatMap((result) =>
          result.case === 'response' && result.value.token !== '' ? [result.value.token] : [],
        );
        if (tokens.length > 0) await readAll(service, tokens);
      }),
      { numRuns: 60 },
    );
  });

  /** What these tests have not seen in a response has no term in the bound either. */
  afterAll(() => {
    const all = [BatchIssueResponseSchema, BatchVerifyResponseSchema, BatchAppendLedgerResponseSchema];
    const missing = new Set<string>();
    const visit = (type: DescMessage, done = new Set<string>()) => {
      if (done.has(type.typeName) || type.typeName.startsWith('google.protobuf.')) return;
      done.add(type.typeName);
      for (const field of type.fields) {
        const name = `${type.typeName}.${field.name}`;
        if (!seen.has(name) && !(name in UNSEEN)) missing.add(name);
        if (field.message !== undefined && !(name in UNSEEN)) visit(field.message, done);
      }
    };
    for (const schema of all) visit(schema);
    expect([...missing]).toEqual([]);
  });
});

/** Fields of these messages that are not in the response of a batch, or whose room is taken from `DetailBudget` when they are written. */
const UNSEEN: Readonly<Record<string, string>> = {
  'ect.v1.Entry.taint': 'only tasks are appended',
  'ect.v1.Entry.key': 'only tasks are appended',
  'ect.v1.Entry.loss': 'only tasks are appended',
  'ect.v1.Entry.leaf': 'only in a list',
  'ect.v1.Entry.salt': 'only in a list',
  'ect.v1.Entry.provenance': 'not in the response of a batch',
  'ect.v1.VerifyResponse.equivocation': 'DetailBudget: response-size.test.ts',
  'ect.v1.DagReport.tainted': 'DetailBudget: graph-messages.test.ts',
  'ect.v1.DagReport.taints_unknown': 'counted in REPORT_FIELD_BYTES',
  'ect.v1.DagReport.omitted': 'counted in REPORT_FIELD_BYTES: response-size.test.ts',
  'ect.v1.DagReport.violations': 'DetailBudget: graph-messages.test.ts',
};

test('H24 the finding of a verdict has no more than its bound, whatever is named in it', () => {
  const rejection = reject('DAG_DUPLICATE_TASK', '漢'.repeat(2_000), { jti: '字'.repeat(256) });
  const finding = toItemFinding(rejection, new DetailBudget(0));
  expect(toBinary(FindingSchema, create(FindingSchema, finding)).length).toBeLessThanOrEqual(ERROR_BYTES);
  expect(finding.message?.endsWith('…') ?? true).toBe(true);
  const room = new DetailBudget(findingBytes(rejection));
  expect(toItemFinding(rejection, room).message).toBe(rejection.message);
});

describe('H24 a batch that was accepted is accepted when it is repeated', () => {
  test.each([
    ['a day', 86_400n, 200_000_000],
    ['the default lifetime of its tokens', undefined, 20_000_000],
  ])('after %s in which the ledger has grown', async (_, seconds, size) => {
    const service = await serviceOf();
    const { context } = service;
    const items = [...Array(900)].map(() => ({
      request: { ...ROOT, level: Level.L3, ...(seconds && { ttl: { seconds } }) },
    }));
    const request = create(BatchIssueRequestSchema, { items, requestId: 'r' });
    const before = Number(await service.answerBytes?.batchIssue?.(request, CALL));
    expect(before).toBeLessThan(MAX_ANSWER_BYTES);
    const grown = { verifierKey: context.ledger.verifierKey, size } as typeof context.ledger;
    const later = authorityService({ ...context, ledger: grown });
    const after = Number(await later.answerBytes?.batchIssue?.(request, CALL));
    expect(after - before).toBeLessThanOrEqual(900 * 34);
  });
});
