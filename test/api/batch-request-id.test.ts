// A batch that has a request id: asked again, it is answered again.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import type { AuthorityContext, Caller } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import { reasonName } from '../../src/cli/describe.ts';
import { EctError, reject } from '../../src/errors.ts';
import {
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
  BatchVerifyResponseSchema,
  type IssueRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { reasonOf } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';

const ADA: Caller = workload('spiffe://example.com/ada');
const PARTY = 'urn:example:reader';
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const callOf = (caller: Caller = ADA): Call => ({
  method: 'test',
  caller,
  signal: new AbortController().signal,
  note: () => undefined,
});

type Item = MessageInitShape<typeof IssueRequestSchema>;
const ISSUE = { execAct: 'review', aud: [PARTY] };

interface Result {
  readonly result: {
    readonly case: string;
    readonly value: { readonly token?: string; readonly message?: string; readonly receipt?: object };
  };
}

async function issue(
  context: AuthorityContext,
  requestId: string,
  requests: readonly Item[],
  caller?: Caller,
  name = '',
) {
  const request = create(BatchIssueRequestSchema, {
    requestId,
    items: requests.map((each, at) => ({ reference: `${name}${at}`, request: { ...ISSUE, ...each } })),
  });
  const { results } = await authorityService(context).procedures.batchIssue(request, callOf(caller));
  return (results as readonly Result[]).map(({ result }) => result.value.token ?? result.value.message ?? '');
}

describe('BatchIssue', () => {
  test('the same items under the same id get the same tokens, and each entry is recorded once', async () => {
    const { context, clock } = await makeAuthority();
    const items: Item[] = [{}, { level: Level.L3 }, { pred: [UNKNOWN] }, { level: Level.L1 }, { execAct: '' }, {}];
    const first = await issue(context, 'batch-1', items);
    expect(new Set(first).size).toBe(items.length);
    clock.advance(100);
    expect(await issue(context, 'batch-1', items)).toEqual(first);
    expect(context.ledger.size).toBe(1);
    // A token that has expired is made anew, the batch too.
    clock.advance(1_000);
    const later = await issue(context, 'batch-1', items);
    expect(later.filter((token) => first.includes(token))).toEqual([first[4]]);
  });

  test('of many at once each token is made once', async () => {
    const { context } = await makeAuthority();
    const items: Item[] = Array.from({ length: 40 }, () => ({ level: Level.L3 }));
    const answers = await Promise.all(Array.from({ length: 5 }, () => issue(context, 'batch-1', items)));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(context.ledger.size).toBe(items.length);
  });

  test('a batch that was cut off in the middle is gone on with where it ended', async () => {
    const { context } = await makeAuthority();
    const items: Item[] = Array.from({ length: 10 }, () => ({ level: Level.L3 }));
    let left = 5;
    const kept: string[] = [];
    const idempotency: AuthorityContext['idempotency'] = {
      findIssued: (...args) => context.idempotency.findIssued(...args),
      remember: (...args) => {
        if (left-- <= 0) throw new EctError(reject('IDEMPOTENCY_UNAVAILABLE', 'cut off'));
        if (args[2].token !== '') kept.push(args[2].token);
        return context.idempotency.remember(...args);
      },
      close: () => context.idempotency.close(),
    };
    const cut = await issue({ ...context, idempotency }, 'batch-1', items);
    expect(kept).toHaveLength(4);
    expect(cut.slice(0, 4)).toEqual(kept);
    expect(context.ledger.size).toBe(4);
    const whole = await issue(context, 'batch-1', items);
    expect(whole.slice(0, 4)).toEqual(kept);
    expect(new Set(whole).size).toBe(10);
    expect(context.ledger.size).toBe(10);
  });

  test('other items under the id are a conflict before anything is done: another request, order, reference or key', async () => {
    const { context } = await makeAuthority();
    await issue(context, 'batch-1', [{}, { execAct: 'b' }]);
    for (const items of [
      [{}],
      [{ execAct: 'b' }, {}],
      [{}, { execAct: 'b', level: Level.L3 }],
      [{}, { execAct: 'b', dryRun: true }],
      [{}, { execAct: 'b', requestId: 'k' }],
      [{}, { execAct: 'b' }, {}],
    ] as const)
      expect(await reasonOf(issue(context, 'batch-1', items))).toBe('IDEMPOTENCY_CONFLICT');
    expect(await reasonOf(issue(context, 'batch-1', [{}, { execAct: 'b' }], ADA, 'other'))).toBe(
      'IDEMPOTENCY_CONFLICT',
    );
    expect(context.ledger.size).toBe(0);
  });

  test('what was rejected is tried again', async () => {
    const { context } = await makeAuthority();
    const items: Item[] = [{}, { level: Level.L3, pred: [UNKNOWN] }];
    const [token, rejected] = await issue(context, 'batch-1', items);
    expect(rejected).toContain('predecessor');
    await issue(context, '', [{ level: Level.L3, jti: UNKNOWN }]);
    const [same, issued] = await issue(context, 'batch-1', items);
    expect(same).toBe(token);
    expect(issued?.split('.')).toHaveLength(3);
  });

  test('an item with a key of its own keeps to that, and a dry run remembers nothing', async () => {
    const { context } = await makeAuthority();
    const [own] = await issue(context, 'batch-1', [{ requestId: 'mine' }, { dryRun: true }]);
    expect(await issue(context, '', [{ requestId: 'mine' }])).toEqual([own]);
    expect(await issue(context, 'batch-2', [{ requestId: 'mine' }])).toEqual([own]);
  });

  test('an id belongs to its caller; for anonymous callers it belongs to the batch', async () => {
    const { context } = await makeAuthority();
    const [first] = await issue(context, 'batch-1', [{}]);
    expect(await issue(context, 'batch-1', [{}], workload('spiffe://example.com/bob'))).not.toEqual([first]);
    const nobody: Caller = { kind: 'anonymous' };
    const [one] = await issue(context, 'batch-1', [{}], nobody);
    expect(await issue(context, 'batch-1', [{}], nobody)).toEqual([one]);
    expect(await reasonOf(issue(context, 'batch-1', [{ execAct: 'b' }], nobody))).toBe('OK');
  });

  test('without an id each call makes tokens of its own; an id that is no name is rejected', async () => {
    const { context } = await makeAuthority();
    expect(await issue(context, '', [{}])).not.toEqual(await issue(context, '', [{}]));
    for (const requestId of ['with blank', 'x'.repeat(129), 'ü'])
      expect(await reasonOf(issue(context, requestId, [{}]))).toBe('REQUEST_INVALID');
    expect(await reasonOf(issue(context, 'batch-1', []))).toBe('REQUEST_INVALID');
  });
});

describe('BatchVerify', () => {
  async function setUp() {
    const { context } = await makeAuthority();
    const tokens = await issue(context, '', [{}, {}]);
    const verify = async (requestId: string, each: readonly string[], caller: Caller = ADA, own = '') => {
      const items = each.map((token) => ({ request: { token, audience: PARTY, requestId: own } }));
      const request = create(BatchVerifyRequestSchema, { requestId, items });
      const { results } = await authorityService(context).procedures.batchVerify(request, callOf(caller));
      return create(BatchVerifyResponseSchema, { results: results ?? [] }).results.map(({ result }) =>
        result.case === 'response' && result.value.finding ? reasonName(result.value.finding) : '',
      );
    };
    return { tokens, verify };
  }

  test('repeated under its id it is no replay, and under another it is', async () => {
    const { tokens, verify } = await setUp();
    expect(await verify('batch-1', tokens)).toEqual(['', '']);
    expect(await verify('batch-1', tokens)).toEqual(['', '']);
    expect(await verify('batch-2', tokens)).toEqual(['TOKEN_REPLAYED', 'TOKEN_REPLAYED']);
    expect(await verify('batch-1', tokens, workload('spiffe://example.com/bob'))).toEqual([
      'TOKEN_REPLAYED',
      'TOKEN_REPLAYED',
    ]);
  });

  test('the same token twice in a batch is a replay; an id of an item counts before that of the batch', async () => {
    const { tokens, verify } = await setUp();
    const [token = ''] = tokens;
    expect(await verify('batch-1', [token, token])).toEqual(['', 'TOKEN_REPLAYED']);
    const [, other = ''] = tokens;
    expect(await verify('batch-1', [other], ADA, 'own')).toEqual(['']);
    expect(await verify('batch-2', [other], ADA, 'own')).toEqual(['']);
  });

  test('of a caller without a certificate an id that can be guessed is rejected', async () => {
    const { tokens, verify } = await setUp();
    const nobody: Caller = { kind: 'anonymous' };
    expect(await reasonOf(verify('batch-1', tokens, nobody))).toBe('REQUEST_INVALID');
    const id = '0a6f8a5e-5b6c-4f0e-9d55-3c1f2b7e8d90';
    expect([await verify(id, tokens, nobody), await verify(id, tokens, nobody)]).toEqual([
      ['', ''],
      ['', ''],
    ]);
  });
});
