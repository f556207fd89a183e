// A stranger in JavaScript: @grpc/grpc-js and the .proto files.

import { status as codes } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { type Graph, type Issued, type Recorded, reasonIn, type Verdict } from './answers.ts';
import { CallError, dial, type GrpcClient, type Status } from './grpc-js-client.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const NO_SUCH_TASK = '00000000-0000-4000-8000-000000000000';

let service: ServiceProcess;
let client: GrpcClient;

beforeAll(async () => {
  service = await startService();
  client = dial(service.address);
});

afterAll(async () => {
  client?.[Symbol.dispose]();
  await service?.[Symbol.asyncDispose]();
});

function issue(fields: object = {}): Promise<Issued> {
  return client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review_spec', aud: [AUDIENCE], ...fields });
}

async function failureOf(call: Promise<unknown>): Promise<CallError> {
  const outcome = await call.catch((thrown: unknown) => thrown);
  if (!(outcome instanceof CallError)) throw new Error(`the call was expected to fail, not ${String(outcome)}`);
  return outcome;
}

test('a token is issued, verified, its graph validated, recorded, and read again', async () => {
  const root = await issue();
  const child = await issue({ pred: [root.claims.jti], ect_ext: undefined, ect_ext_json: '{"org.example":1.50}' });

  const verdict = await client.call<Verdict>(`${AUTHORITY}/Verify`, { token: root.token, audience: AUDIENCE });
  expect(verdict).toMatchObject({ valid: true, finding: null, level: 'LEVEL_L2' });

  const alone = await client.call<Graph>(`${AUTHORITY}/ValidateDAG`, { token: child.token });
  const nameOf = ({ claims }: Issued) => ({ wid: '', jti: claims.jti });
  expect(alone).toMatchObject({ dag_report: { status: 'DAG_STATUS_PARTIAL', unresolved: [nameOf(root)] } });
  const bundle = { tokens: [child.token, root.token] };
  const graph = await client.call<Graph>(`${AUTHORITY}/ValidateDAG`, { bundle });
  expect(graph).toMatchObject({
    dag_report: { status: 'DAG_STATUS_COMPLETE' },
    size: 2,
    depth: 2,
    roots: [nameOf(root)],
    leaves: [nameOf(child)],
  });

  const recorded = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token: root.token });
  expect(recorded).toMatchObject({
    duplicate: false,
    entry: { task: { name: { jti: root.claims.jti }, token: root.token } },
  });
  const read = await client.call<Recorded>('ect.v1.LedgerService/GetEntry', { index: recorded.entry.index });
  expect(read.entry).toEqual(recorded.entry);
});

test('a token of level L3 arrives with its receipt', async () => {
  const issued = await issue({ level: 'LEVEL_L3' });
  expect(issued).toMatchObject({ level: 'LEVEL_L3', receipt: { leaf: expect.any(Buffer) } });
  const request = { token: issued.token, audience: AUDIENCE, minimum_level: 'LEVEL_L3' };
  const verdict = await client.call<Verdict>(`${AUTHORITY}/Verify`, request);
  expect(verdict).toMatchObject({ valid: true, level: 'LEVEL_L3' });
});

test('R1 a second use of a token is a verdict, not an error', async () => {
  const { token } = await issue();
  const verify = () => client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
  expect(await verify()).toMatchObject({ valid: true });
  expect(await verify()).toMatchObject({ valid: false, finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
});

describe('errors carry google.rpc.ErrorInfo in grpc-status-details-bin', () => {
  test.each([
    [
      'Issue without exec_act',
      `${AUTHORITY}/Issue`,
      { aud: [AUDIENCE] },
      'INVALID_ARGUMENT',
      'CLAIM_INVALID',
      { claim: 'exec_act' },
    ],
    [
      'Issue under a foreign iss',
      `${AUTHORITY}/Issue`,
      { exec_act: 'a', aud: ['urn:b'], iss: 'urn:other' },
      'PERMISSION_DENIED',
      'ISSUER_NOT_ALLOWED',
      { iss: 'urn:other' },
    ],
    [
      'AppendLedger of no token',
      `${AUTHORITY}/AppendLedger`,
      { token: 'a.b.c' },
      'INVALID_ARGUMENT',
      'TOKEN_MALFORMED',
      {},
    ],
    [
      'GetEntry of nothing',
      'ect.v1.LedgerService/GetEntry',
      { task: { jti: NO_SUCH_TASK } },
      'NOT_FOUND',
      'ENTRY_NOT_FOUND',
      {},
    ],
    [
      'a proof outside the tree',
      'ect.v1.LedgerService/GetInclusionProof',
      { leaf_index: '0', tree_size: '999999' },
      'OUT_OF_RANGE',
      'TREE_SIZE_INVALID',
      {},
    ],
    [
      'Health of nothing',
      'grpc.health.v1.Health/Check',
      { service: 'no.such.Service' },
      'NOT_FOUND',
      'SERVICE_UNKNOWN',
      {},
    ],
  ] as const)('%s', async (_, method, request, code, reason, metadata) => {
    const error = await failureOf(client.call(method, request));
    expect(codes[error.code]).toBe(code);
    expect(error.info).toMatchObject({ domain: 'ect-authority', reason, metadata });
  });

  test('a predecessor that is not recorded stops an append', async () => {
    const { token } = await issue({ pred: [NO_SUCH_TASK] });
    const error = await failureOf(client.call(`${AUTHORITY}/AppendLedger`, { token }));
    expect(codes[error.code]).toBe('FAILED_PRECONDITION');
    expect(error.info).toMatchObject({ reason: 'DAG_PREDECESSOR_MISSING', metadata: { pred: NO_SUCH_TASK } });
  });

  test('another token under a recorded jti is rejected with the jti', async () => {
    const first = await issue();
    const second = await issue({ jti: first.claims.jti, exec_act: 'approve_spec' });
    await client.call(`${AUTHORITY}/AppendLedger`, { token: first.token });
    const error = await failureOf(client.call(`${AUTHORITY}/AppendLedger`, { token: second.token }));
    expect(codes[error.code]).toBe('ALREADY_EXISTS');
    expect(error.info).toMatchObject({ reason: 'DAG_DUPLICATE_TASK', metadata: { jti: first.claims.jti } });
  });

  test('a message over 256 KiB is rejected before it is read', async () => {
    const error = await failureOf(issue({ input: Buffer.alloc(256 * 1024 + 1) }));
    expect(codes[error.code]).toBe('RESOURCE_EXHAUSTED');
    expect(error.reason).toBe('MESSAGE_TOO_LARGE');
  });
});

describe('batches', () => {
  interface Results<Response> {
    readonly results: readonly { readonly reference: string; readonly response?: Response; readonly error?: Status }[];
  }

  test('answer every item in its order, by a response or by an error with its reason', async () => {
    const good = { exec_act: 'a', aud: [AUDIENCE] };
    const items = [
      { reference: 'first', request: good },
      { reference: 'second', request: { ...good, aud: [] } },
      { reference: 'third', request: good },
    ];
    const { results } = await client.call<Results<Issued>>(`${AUTHORITY}/BatchIssue`, { items });
    expect(results.map(({ reference }) => reference)).toEqual(['first', 'second', 'third']);
    expect(results[1]?.error).toMatchObject({ code: codes.INVALID_ARGUMENT });
    expect(client.errorInfoIn(results[1]?.error as Status)).toMatchObject({
      domain: 'ect-authority',
      reason: 'CLAIM_INVALID',
      metadata: { claim: 'aud' },
    });

    const tokens = [results[0], results[2]].map((result) => result?.response?.token ?? '');
    const toVerify = [...tokens, 'junk'].map((token, at) => ({
      reference: `${at}`,
      request: { token, audience: AUDIENCE },
    }));
    const verified = await client.call<Results<Verdict>>(`${AUTHORITY}/BatchVerify`, { items: toVerify });
    expect(verified.results.map(({ response }) => response && reasonIn(response))).toEqual(['', '', 'TOKEN_MALFORMED']);
  });

  test('of appends keep their order, so that a task may follow one of the same batch', async () => {
    const root = await issue();
    const child = await issue({ pred: [root.claims.jti] });
    const append = (tokens: readonly string[]) => {
      const items = tokens.map((token) => ({ reference: '', request: { token } }));
      return client.call<Results<Recorded>>(`${AUTHORITY}/BatchAppendLedger`, { items });
    };
    const { results: wrong } = await append([child.token]);
    expect(client.errorInfoIn(wrong[0]?.error as Status)?.reason).toBe('DAG_PREDECESSOR_MISSING');
    const { results } = await append([root.token, child.token, root.token]);
    const entries = results.map(({ response }) => response);
    expect(entries.map((recorded) => recorded?.entry.task.name.jti)).toEqual([
      root.claims.jti,
      child.claims.jti,
      root.claims.jti,
    ]);
    expect(entries.map((recorded) => recorded?.duplicate)).toEqual([false, false, true]);
    expect(entries[2]?.entry.index).toBe(entries[0]?.entry.index);
  });
});

describe('the life of a call', () => {
  test('L16 an append whose deadline has passed is either recorded or not, and the retry tells which', async () => {
    const { token } = await issue();
    // Sooner than the answer can be there, so the client gives up on its own.
    const call = client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token }, { deadline: Date.now() + 1 });
    expect(codes[(await failureOf(call)).code]).toBe('DEADLINE_EXCEEDED');
    const first = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
    const again = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
    expect(again).toMatchObject({ duplicate: true, entry: { index: first.entry.index } });
  });

  test('a cancelled call ends at once, and the channel stays good', async () => {
    const { token } = await issue();
    const call = client.call(`${AUTHORITY}/AppendLedger`, { token }, {}, (started) => started.cancel());
    expect(codes[(await failureOf(call)).code]).toBe('CANCELLED');
    expect(await client.call(`${AUTHORITY}/AppendLedger`, { token })).toMatchObject({ entry: { task: { token } } });
  });

  test('a deadline that leaves enough time is honoured without an effect', async () => {
    expect(await client.call('ect.v1.KeyService/GetKeySet', {}, { deadline: Date.now() + 20_000 })).toMatchObject({
      keys: [{ alg: 'ES256', jwk_json: expect.stringContaining('"crv":"P-256"') }],
    });
  });
});

describe('health', () => {
  test('Check says SERVING for the server and for each service', async () => {
    for (const name of ['', AUTHORITY, 'ect.v1.LedgerService', 'ect.v1.KeyService', 'ect.v1.AdminService']) {
      expect(await client.call('grpc.health.v1.Health/Check', { service: name })).toEqual({ status: 'SERVING' });
    }
  });

  test('Watch returns the state immediately and continues until it is cancelled', async () => {
    const watch = client.stream('grpc.health.v1.Health/Watch', { service: AUTHORITY });
    const ended = new Promise<CallError>((resolve) => {
      watch.on('error', (error) => resolve(client.readError(error as never)));
    });
    expect(await new Promise((resolve) => watch.once('data', resolve))).toEqual({ status: 'SERVING' });
    watch.cancel();
    expect(codes[(await ended).code]).toBe('CANCELLED');
  });
});
