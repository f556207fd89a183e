// The rejection of a request lists all of its faults at once, as google.rpc.BadRequest.

import { randomUUID } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { readKeyInput, readKeyQuery, readRevocation, readRotation } from '../../src/api/key-messages.ts';
import { readMarkInput } from '../../src/api/mark-requests.ts';
import { EctError } from '../../src/errors.ts';
import {
  ListKeysRequestSchema,
  MarkCompromisedRequestSchema,
  RevokeKeyRequestSchema,
  RotateKeyRequestSchema,
} from '../../src/gen/ect/v1/admin_pb.ts';
import {
  AppendLedgerRequestSchema,
  BatchAppendLedgerRequestSchema,
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
  IssueRequestSchema,
  ValidateDAGRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import {
  EntryKind,
  GetConsistencyProofRequestSchema,
  GetEntryRequestSchema,
  GetInclusionProofRequestSchema,
  ListEntriesRequestSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { Draft, Level } from '../../src/gen/ect/v1/token_pb.ts';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts';
import { recordTask } from '../authority/support.ts';
import {
  authority,
  call,
  context,
  errorOf,
  fieldsIn,
  fieldsInStatus,
  ledger,
  NO_TASK,
  rejectionOf,
} from './violated.ts';

describe('Issue', () => {
  test('an empty request lacks exec_act and aud: both are named, and the reason is that of the first', async () => {
    const error = await rejectionOf('issue', {});
    expect(error.reason).toBe('CLAIM_INVALID');
    expect(fieldsIn(error)).toEqual(['aud', 'exec_act']);
    expect(error.message).toMatch(/^aud must .*\. exec_act must .*\.$/);
  });

  test('faults of fields and missing fields are named together', async () => {
    const error = await rejectionOf('issue', { ttl: { seconds: 0n }, requestId: 'a b', level: 9 });
    expect(error.reason).toBe('REQUEST_INVALID');
    expect(error.metadata['field']).toBe('level');
    expect(fieldsIn(error)).toEqual(['level', 'ttl', 'request_id', 'aud', 'exec_act']);
  });

  test('claims that break their rule are named beside fields that are missing or cannot be read', async () => {
    const error = await rejectionOf('issue', {
      execAct: '',
      aud: [],
      ttl: { seconds: -5n },
      wid: 'x',
      pred: ['y'],
      jti: 'w',
      inputBinding: { case: 'inpHash', value: 'z' },
      outputBinding: { case: 'outHash', value: 'z' },
    });
    expect(error.reason).toBe('REQUEST_INVALID');
    expect(fieldsIn(error)).toEqual(['ttl', 'aud', 'jti', 'wid', 'exec_act', 'pred[0]', 'inp_hash', 'out_hash']);
  });

  test('a wrong policy claim hides no other claim', async () => {
    const error = await rejectionOf('issue', {
      execAct: 'a',
      aud: ['urn:a'],
      wid: 'x',
      extension: { case: 'ectExtJson', value: '{"pol":"p"}' },
    });
    expect(fieldsIn(error)).toEqual(['ect_ext_json.pol_decision', 'wid']);
    const all = { pol: '', pol_timestamp: -1, compensation_required: 'yes', pol_decision: 'maybe' };
    const many = await rejectionOf('issue', {
      execAct: 'a',
      aud: ['urn:a'],
      extension: { case: 'ectExtJson', value: JSON.stringify(all) },
    });
    const names = ['pol', 'pol_decision', 'pol_timestamp', 'compensation_required'];
    expect(fieldsIn(many)).toEqual(names.map((name) => `ect_ext_json.${name}`));
  });

  test('every claim that breaks its rule is named by the field that it comes from', async () => {
    const error = await rejectionOf('issue', {
      execAct: 'a\n',
      aud: ['urn:a'],
      jti: 'x',
      wid: 'y',
      pred: ['z'],
      ttl: { seconds: 1_000_000n, nanos: 0 },
      inputBinding: { case: 'inpHash', value: 'short' },
    });
    expect(fieldsIn(error)).toEqual(['jti', 'wid', 'exec_act', 'ttl', 'pred[0]', 'inp_hash']);
  });

  test('a single fault keeps its own sentence, and is a violation too', async () => {
    const error = await rejectionOf('issue', { execAct: 'a', aud: ['urn:a'], level: Level.L2, ttl: { seconds: 0n } });
    expect(fieldsIn(error)).toEqual(['ttl']);
    expect(error.message).toBe('ttl must be whole seconds, at least 1.');
    const claim = await rejectionOf('issue', { execAct: 'a\n', aud: ['urn:a'] });
    expect([claim.reason, fieldsIn(claim)]).toEqual(['CLAIM_INVALID', ['exec_act']]);
  });

  test('of a list every element is named that breaks its rule', async () => {
    const id = randomUUID();
    const fields = { execAct: 'a', jti: id, aud: ['', 'urn:a', 'a\n'], pred: ['x', NO_TASK, NO_TASK, id] };
    const error = await rejectionOf('issue', fields);
    expect(fieldsIn(error)).toEqual(['aud[0]', 'aud[2]', 'pred[0]', 'pred[2]', 'pred[3]']);
    expect(error.metadata).toEqual({ claim: 'aud' });
  });

  test('what its own setting rejects is named beside what cannot be read', async () => {
    const strict = { ...context, policy: { ...context.policy, ledgerAudience: 'urn:ledger' } };
    strict.policy.token = { ...context.policy.token, drafts: ['01'] };
    const fields = { execAct: 'a', aud: ['urn:a'], level: Level.L3, draft: Draft.ECT_00, ttl: { seconds: 0n } };
    const { issue } = authorityService(strict).procedures;
    const error = await errorOf(() => issue(create(IssueRequestSchema, fields), call));
    expect(fieldsIn(error)).toEqual(['ttl', 'draft', 'aud']);
  });

  test('no more are named than an error has room for', async () => {
    const error = await rejectionOf('issue', { execAct: 'a', aud: Array.from({ length: 64 }, () => '') });
    expect(fieldsIn(error)).toEqual(Array.from({ length: 16 }, (_, at) => `aud[${at}]`));
    expect(error.message.length).toBeLessThanOrEqual(512);
  });
});

test('Verify names every field that is wrong, also what only its caller makes wrong', async () => {
  const error = await rejectionOf('verify', { dagMode: 9, minimumLevel: 9, requestId: 'x'.repeat(200) });
  expect(fieldsIn(error)).toEqual(['dag_mode', 'token', 'request_id', 'minimum_level', 'audience']);
  const later = { seconds: BigInt(context.now() + 60), nanos: 0 };
  const own = await rejectionOf('verify', { token: 't', asOf: later, requestId: 'short' });
  expect(fieldsIn(own)).toEqual(['audience', 'as_of', 'request_id']);
});

test('ValidateDAG names every field that is wrong', async () => {
  const request = create(ValidateDAGRequestSchema, {
    graphFormat: 9 as never,
    predecessorTokens: Array.from({ length: 101 }, () => 't'),
    subject: { case: 'bundle', value: {} },
  });
  const error = await errorOf(() => authority.validateDAG(request, call));
  expect(fieldsIn(error)).toEqual(['graph_format', 'predecessor_tokens', 'predecessor_tokens', 'bundle.tokens']);
});

test('AppendLedger names the token, whatever is wrong with it', async () => {
  for (const token of ['', 'x.y.z']) {
    const error = await errorOf(() => authority.appendLedger(create(AppendLedgerRequestSchema, { token }), call));
    expect(fieldsIn(error)).toEqual(['token']);
  }
});

describe('a batch', () => {
  const errorIn = (result: { readonly result?: unknown }) =>
    fromBinary(StatusSchema, toBinary(StatusSchema, create(StatusSchema, (result.result as { value: object }).value)));
  const fieldsOf = (results: readonly { readonly result?: unknown }[] | undefined) =>
    results!.map((result) => fieldsInStatus(errorIn(result)));

  test('names the fields of each item by their path from the batch', async () => {
    const items = [
      { request: { execAct: 'a', aud: [''] } },
      {},
      { request: { execAct: 'a', aud: ['urn:a', ''], ttl: { seconds: 0n } } },
    ];
    for (const requestId of ['', 'a-batch']) {
      const answer = await authority.batchIssue(create(BatchIssueRequestSchema, { items, requestId }), call);
      expect(fieldsOf(answer.results)).toEqual([
        ['items[0].request.aud[0]'],
        ['items[1].request'],
        ['items[2].request.ttl', 'items[2].request.aud[1]'],
      ]);
    }
    const verified = await authority.batchVerify(
      create(BatchVerifyRequestSchema, { items: [{ request: { token: '', dagMode: 9 as never } }] }),
      call,
    );
    const fields = ['dag_mode', 'token', 'audience'].map((field) => `items[0].request.${field}`);
    expect(fieldsOf(verified.results)).toEqual([fields]);
    const appended = await authority.batchAppendLedger(
      create(BatchAppendLedgerRequestSchema, { items: [{ request: { token: 'x.y.z' } }, { request: {} }] }),
      call,
    );
    expect(fieldsOf(appended.results)).toEqual([['items[0].request.token'], ['items[1].request.token']]);
  });

  test('names everything that is wrong with itself', async () => {
    const sound = { execAct: 'a', aud: ['urn:a'] };
    const items = [{ reference: 'x'.repeat(129), request: sound }];
    const issuing = create(BatchIssueRequestSchema, { items, requestId: 'a b' });
    expect(fieldsIn(await errorOf(() => authority.batchIssue(issuing, call)))).toEqual([
      'request_id',
      'items[0].reference',
    ]);
    const verifying = create(BatchVerifyRequestSchema, { items: [], requestId: 'short' });
    expect(fieldsIn(await errorOf(() => authority.batchVerify(verifying, call)))).toEqual(['items', 'request_id']);
  });

  test('names the faults of its items too, where it is rejected as a whole', async () => {
    const issuing = create(BatchIssueRequestSchema, {
      requestId: 'a b',
      items: [
        { request: { execAct: 'a', aud: ['urn:a'] } },
        { request: { ttl: { seconds: 0n } } },
        {},
        { request: {} },
      ],
    });
    const error = await errorOf(() => authority.batchIssue(issuing, call));
    expect(error.reason).toBe('REQUEST_INVALID');
    expect(error.metadata).toEqual({ field: 'request_id' });
    expect(fieldsIn(error)).toEqual([
      'request_id',
      'items[1].request.ttl',
      'items[1].request.aud',
      'items[1].request.exec_act',
      'items[2].request',
      'items[3].request.aud',
      'items[3].request.exec_act',
    ]);
    const verifying = create(BatchVerifyRequestSchema, { requestId: 'short', items: [{ request: { token: 'x' } }] });
    expect(fieldsIn(await errorOf(() => authority.batchVerify(verifying, call)))).toEqual([
      'request_id',
      'items[0].request.audience',
    ]);
    const reference = 'x'.repeat(129);
    const appending = create(BatchAppendLedgerRequestSchema, { items: [{ reference, request: {} }] });
    expect(fieldsIn(await errorOf(() => authority.batchAppendLedger(appending, call)))).toEqual([
      'items[0].reference',
      'items[0].request.token',
    ]);
  });
});

describe('every other request', () => {
  const messageOf = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      if (error instanceof EctError) return error;
      throw error;
    }
    throw new Error('nothing was rejected');
  };

  test('of an administrator names each field that is wrong', () => {
    const note = 'a\n';
    const fields = { kid: 'x', note, compromisedSince: { seconds: -1n, nanos: 0 } };
    const rotation = messageOf(() =>
      readRotation(create(RotateKeyRequestSchema, { source: { case: 'existing', value: { name: ' ' } }, note })),
    );
    expect(fieldsIn(rotation)).toEqual(['existing.name', 'note']);
    expect(fieldsIn(messageOf(() => readKeyInput(fields)))).toEqual(['kid', 'note']);
    const revocation = create(RevokeKeyRequestSchema, { kid: 'x', note, compromisedSince: fields.compromisedSince });
    expect(fieldsIn(messageOf(() => readRevocation(revocation)))).toEqual(['kid', 'note', 'compromised_since']);
    const query = create(ListKeysRequestSchema, { pageSize: -1, pageToken: 'x' });
    expect(fieldsIn(messageOf(() => readKeyQuery(query)))).toEqual(['page_size', 'page_token']);
    const mark = create(MarkCompromisedRequestSchema, {
      subject: { case: 'task', value: { jti: 'x', wid: 'y' } },
      note,
    });
    expect(fieldsIn(messageOf(() => readMarkInput(mark, 'uuid')))).toEqual(['note', 'task.jti', 'task.wid']);
    const dated = create(MarkCompromisedRequestSchema, {
      subject: { case: 'task', value: { jti: '', wid: 'W' } },
      compromisedSince: { seconds: 1n },
    });
    expect(fieldsIn(messageOf(() => readMarkInput(dated, 'uuid')))).toEqual([
      'compromised_since',
      'task.jti',
      'task.wid',
    ]);
  });

  test('of a reader of the ledger names each field that is wrong', async () => {
    const list = create(ListEntriesRequestSchema, { wid: 'w', kinds: [EntryKind.TAINT], pageSize: -1, pageToken: 'x' });
    const listing = await errorOf(() => ledger.listEntries(list, call));
    expect(fieldsIn(listing)).toEqual(['kinds', 'page_size', 'page_token']);
    // What says which list is meant is wrong itself.
    const unread = { ...list, recordedFrom: { seconds: -1n, nanos: -1 } as never, fromIndex: -1n, order: 9 as never };
    expect(fieldsIn(await errorOf(() => ledger.listEntries(unread, call)))).toEqual([
      'kinds',
      'recorded_from',
      'from_index',
      'order',
      'page_size',
      'page_token',
    ]);
    const prove = create(GetInclusionProofRequestSchema, { leafIndex: -1n, treeSize: -1n });
    const proving = await errorOf(() => ledger.getInclusionProof(prove, call));
    expect(fieldsIn(proving)).toEqual(['leaf_index', 'tree_size']);
    const get = create(GetEntryRequestSchema, { name: { case: 'index', value: -1n }, receiptFormat: 9 as never });
    expect(fieldsIn(await errorOf(() => ledger.getEntry(get, call)))).toEqual(['receipt_format', 'index']);
  });

  test('for a size that the ledger never had names the field', async () => {
    const fieldsFor = async (firstTreeSize: bigint, secondTreeSize: bigint) => {
      const request = create(GetConsistencyProofRequestSchema, { firstTreeSize, secondTreeSize });
      return fieldsIn(await errorOf(() => ledger.getConsistencyProof(request, call)));
    };
    await recordTask(context);
    expect(await fieldsFor(1n, 7n)).toEqual(['second_tree_size']);
    expect(await fieldsFor(7n, 0n)).toEqual(['first_tree_size']);
    const request = create(GetInclusionProofRequestSchema, { treeSize: 7n });
    expect(fieldsIn(await errorOf(() => ledger.getInclusionProof(request, call)))).toEqual(['tree_size']);
  });

  test('for an index that no entry has names the field, the index and how many there are', async () => {
    const entry = await errorOf(() =>
      ledger.getEntry(create(GetEntryRequestSchema, { name: { case: 'index', value: 7n } }), call),
    );
    const proof = await errorOf(() =>
      ledger.getInclusionProof(create(GetInclusionProofRequestSchema, { leafIndex: 7n }), call),
    );
    for (const [error, field] of [
      [entry, 'index'],
      [proof, 'leaf_index'],
    ] as const) {
      expect(error).toMatchObject({ reason: 'INDEX_OUT_OF_RANGE', metadata: { index: '7', entries: '1' } });
      expect(error.message).toBe('The ledger has no entry 7: it has 1 entry, index 0.');
      expect(fieldsIn(error)).toEqual([field]);
    }
  });
});
