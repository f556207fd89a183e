// A refused request is told everything that is wrong with it at once, as google.rpc.BadRequest.

import { create, fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { EctError } from '../../src/errors.ts';
import { IssueRequestSchema, VerifyRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { ListKeysRequestSchema, RevokeKeyRequestSchema, RotateKeyRequestSchema } from '../../src/gen/ect/v1/keys_pb.ts';
import { ListEntriesRequestSchema, MarkCompromisedRequestSchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { BadRequestSchema, file_google_rpc_error_details } from '../../src/gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts';
import { authorityService } from '../../src/rpc/authority.ts';
import type { Call } from '../../src/rpc/call.ts';
import { toStatusDetails } from '../../src/rpc/errors.ts';
import { readKeyOrder, readKeyQuery, readRevocation, readRotation } from '../../src/rpc/key-messages.ts';
import { ledgerService } from '../../src/rpc/ledger.ts';
import { readMarkOrder } from '../../src/rpc/mark-orders.ts';
import { makeAuthority } from '../support/authority.ts';

const call: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note() {},
};

async function refusalOf(procedure: 'issue' | 'verify', fields: object): Promise<EctError> {
  const { parts } = await makeAuthority();
  const { issue, verify } = authorityService(parts).procedures;
  const answer = async () =>
    procedure === 'issue'
      ? issue(create(IssueRequestSchema, fields), call)
      : verify(create(VerifyRequestSchema, fields), call);
  const error = await answer().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EctError);
  return error as EctError;
}

/** The fields that the details of a failure name, as a client unpacks them. */
function fieldsIn(error: EctError): readonly string[] {
  const status = fromBinary(StatusSchema, Buffer.from(toStatusDetails(error), 'base64'));
  expect(file_google_rpc_error_details.name).toContain('error_details');
  const details = status.details.map((any) => anyUnpack(any, BadRequestSchema)).filter((found) => found !== undefined);
  return details.flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
}

describe('Issue', () => {
  test('an empty request lacks exec_act and aud: both are named, and the reason is that of the first', async () => {
    const error = await refusalOf('issue', {});
    expect(error.reason).toBe('CLAIM_INVALID');
    expect(fieldsIn(error)).toEqual(['aud', 'exec_act']);
    expect(error.message).toMatch(/^aud must .*\. exec_act must .*\.$/);
  });

  test('faults of fields and missing fields are named together', async () => {
    const error = await refusalOf('issue', { ttl: { seconds: 0n }, idempotencyKey: 'a b', level: 9 });
    expect(error.reason).toBe('REQUEST_INVALID');
    expect(error.facts['field']).toBe('level');
    expect(fieldsIn(error)).toEqual(['level', 'exec_act', 'aud', 'ttl', 'idempotency_key']);
  });

  test('claims that break their rule are named beside fields that are missing or cannot be read', async () => {
    const error = await refusalOf('issue', {
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
    expect(fieldsIn(error)).toEqual(['ttl', 'exec_act', 'aud', 'jti', 'wid', 'pred', 'inp_hash', 'out_hash']);
  });

  test('a wrong policy claim hides no other claim', async () => {
    const error = await refusalOf('issue', {
      execAct: 'a',
      aud: ['urn:a'],
      wid: 'x',
      extension: { case: 'ectExtJson', value: '{"pol":"p"}' },
    });
    expect(fieldsIn(error)).toEqual(['pol_decision', 'wid']);
  });

  test('every claim that breaks its rule is named by the field that it comes from', async () => {
    const error = await refusalOf('issue', {
      execAct: 'a\n',
      aud: ['urn:a'],
      jti: 'x',
      wid: 'y',
      pred: ['z'],
      ttl: { seconds: 1_000_000n, nanos: 0 },
      inputBinding: { case: 'inpHash', value: 'short' },
    });
    expect(fieldsIn(error)).toEqual(['jti', 'wid', 'exec_act', 'ttl', 'pred', 'inp_hash']);
  });

  test('a single fault keeps its own sentence', async () => {
    const error = await refusalOf('issue', { execAct: 'a', aud: ['urn:a'], level: Level.L2, ttl: { seconds: 0n } });
    expect(error.violations).toEqual([]);
    expect(fieldsIn(error)).toEqual(['ttl']);
    expect(error.message).toBe('ttl must be whole seconds, at least 1.');
  });
});

test('Verify names every field that is wrong', async () => {
  const error = await refusalOf('verify', { dag: 9, minimumLevel: 9, requestId: 'x'.repeat(200) });
  expect(fieldsIn(error)).toEqual(['dag', 'token', 'request_id', 'minimum_level']);
});

describe('every other request', () => {
  const messageOf = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      if (error instanceof EctError) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  test('of an administrator names each field that is wrong', () => {
    const note = 'a\n';
    const fields = { nextKey: ' ', kid: 'x', note, compromisedSince: { seconds: -1n, nanos: 0 } };
    const rotation = messageOf(() => readRotation(create(RotateKeyRequestSchema, { nextKey: ' ', note })));
    expect(fieldsIn(rotation)).toEqual(['next_key', 'note']);
    expect(fieldsIn(messageOf(() => readKeyOrder(fields)))).toEqual(['kid', 'note']);
    const revocation = create(RevokeKeyRequestSchema, { kid: 'x', note, compromisedSince: fields.compromisedSince });
    expect(fieldsIn(messageOf(() => readRevocation(revocation)))).toEqual(['kid', 'note', 'compromised_since']);
    const query = create(ListKeysRequestSchema, { pageSize: -1, pageToken: 'x' });
    expect(fieldsIn(messageOf(() => readKeyQuery(query)))).toEqual(['page_size', 'page_token']);
    const mark = create(MarkCompromisedRequestSchema, {
      subject: { case: 'task', value: { jti: 'x', wid: 'y' } },
      note,
    });
    expect(fieldsIn(messageOf(() => readMarkOrder(mark, 'uuid')))).toEqual(['note', 'task.jti', 'task.wid']);
  });

  test('of a reader of the ledger names each field that is wrong', async () => {
    const { parts } = await makeAuthority();
    const { listEntries } = ledgerService(parts).procedures;
    const request = create(ListEntriesRequestSchema, { wid: 'w', taints: true, pageSize: 9999, pageToken: 'x' });
    const error = await Promise.resolve()
      .then(() => listEntries(request, call))
      .catch((thrown: unknown) => thrown);
    expect(fieldsIn(error as EctError)).toEqual(['taints', 'page_size', 'page_token']);
  });
});
