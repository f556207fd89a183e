// A10: two callers behind one proxy, on one connection to the real process: each gets its own answers, and what it may not read is,
// byte by byte, as if it were not there.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BatchIssueRequestSchema,
  BatchIssueResponseSchema,
  IssueRequestSchema,
  IssueResponseSchema,
  RecordMode,
  ValidateDAGRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import {
  GetEntryRequestSchema,
  GetInclusionProofRequestSchema,
  GetRecordingRequestSchema,
  GetWorkflowRequestSchema,
  ListEntriesRequestSchema,
  ListEntriesResponseSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const PROXY = 'spiffe://example.org/envoy';
const [A, B] = ['spiffe://example.org/a', 'spiffe://example.org/b'];
const POLICY = fileURLToPath(new URL('../../policy/examples/own-entries.cedar', import.meta.url));
const order = { execAct: 'review_spec', aud: ['urn:example:reviewer'], level: Level.L3 };
const [OF_B, ABSENT] = [randomUUID(), randomUUID()];

/** What came back, as it was on the wire. */
interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
}

describe('two callers on one connection', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-two-'));
  const path = join(folder, 'ect.sock');
  let service: ServiceProcess;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    service = await startService({
      ECT_LISTEN: `unix:${path}`,
      ECT_STORE: 'memory',
      ECT_UNIX_CALLER: PROXY,
      ECT_FORWARDED_BY: PROXY,
      ECT_POLICY_FILE: POLICY,
    });
    session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  });
  afterAll(async () => {
    session?.destroy();
    await service?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** One gRPC call for this caller. */
  function send<Schema extends DescMessage>(
    caller: string,
    method: string,
    schema: Schema,
    init: MessageInitShape<Schema>,
  ) {
    const message = toBinary(schema, create(schema, init));
    const frame = Buffer.concat([Buffer.alloc(5), message]);
    frame.writeUInt32BE(message.length, 1);
    return new Promise<Answer>((resolve, reject) => {
      const chunks: Buffer[] = [];
      let [headers, trailers]: IncomingHttpHeaders[] = [{}, {}];
      const stream = session.request({
        ':method': 'POST',
        ':path': `/ect.v1.${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
        'x-forwarded-client-cert': `URI=${caller}`,
      });
      stream.on('response', (given) => {
        headers = given;
      });
      stream.on('trailers', (given) => {
        trailers = given;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => resolve({ headers: headers!, body: Buffer.concat(chunks), trailers: trailers! }));
      stream.on('error', reject);
      stream.end(frame);
    });
  }

  function read<Schema extends DescMessage>(schema: Schema, { body, headers, trailers }: Answer): MessageShape<Schema> {
    expect(trailers['grpc-status'] ?? headers['grpc-status']).toBe('0');
    return fromBinary(schema, body.subarray(5));
  }

  const issue = async (caller: string, more: MessageInitShape<typeof IssueRequestSchema> = {}) =>
    read(IssueResponseSchema, await send(caller, 'AuthorityService/Issue', IssueRequestSchema, { ...order, ...more }));
  const entry = (caller: string, jti: string, wid = '') =>
    send(caller, 'LedgerService/GetEntry', GetEntryRequestSchema, { name: { case: 'task', value: { jti, wid } } });
  const recording = (caller: string, jti: string) =>
    send(caller, 'LedgerService/GetRecording', GetRecordingRequestSchema, { task: { jti } });
  const list = (caller: string, init: MessageInitShape<typeof ListEntriesRequestSchema> = {}) =>
    send(caller, 'LedgerService/ListEntries', ListEntriesRequestSchema, init);
  const statusOf = ({ headers, trailers }: Answer) => trailers['grpc-status'] ?? headers['grpc-status'];

  test('A10 get their own answers, however their calls are interleaved', async () => {
    const asNotFound = '5';
    const round = async (caller: string, other: string) => {
      const mode = RecordMode.ASYNC;
      const [plain, later, batch, others] = await Promise.all([
        issue(caller),
        issue(caller, { recordMode: mode }),
        send(caller, 'AuthorityService/BatchIssue', BatchIssueRequestSchema, {
          items: [{ request: order }, { request: { ...order, iss: other } }, { request: order }],
        }),
        issue(other),
      ]);
      expect([plain, later].map(({ claims }) => claims?.iss)).toEqual([caller, caller]);
      expect(others.claims?.iss).toBe(other);
      const items = read(BatchIssueResponseSchema, batch).results.map(({ result }) =>
        result.case === 'response' ? result.value.claims?.iss : result.case,
      );
      expect(items).toEqual([caller, 'error', caller]);
      const [mine, theirs] = [later.claims?.jti ?? '', others.claims?.jti ?? ''];
      const answers = await Promise.all([
        entry(caller, plain.claims?.jti ?? ''),
        entry(caller, theirs),
        recording(caller, mine),
        recording(other, mine),
      ]);
      expect(answers.map(statusOf)).toEqual(['0', asNotFound, '0', asNotFound]);
      const page = read(ListEntriesResponseSchema, await list(caller));
      const issuers = new Set(page.entries.map(({ body }) => (body.case === 'task' ? body.value.iss : caller)));
      expect([...issuers]).toEqual([caller]);
    };
    await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? round(A, B) : round(B, A))));
  });

  test('A10 get the same bytes for what they may not read as for what is not there', async () => {
    const { claims } = await issue(B);
    await issue(A);
    const { claims: within } = await issue(B, { wid: OF_B });
    const [hidden, hiddenWithin] = [claims?.jti ?? '', within?.jti ?? ''];
    const absent = randomUUID();
    const { entries } = read(ListEntriesResponseSchema, await list(B, { iss: B, pageSize: 1 }));
    const index = entries[0]?.index ?? 0n;
    const follow = (pred: string, wid = '') =>
      send(A, 'AuthorityService/Issue', IssueRequestSchema, { ...order, jti: absent, wid, pred: [pred] });
    const validate = (wid: string) =>
      send(A, 'AuthorityService/ValidateDAG', ValidateDAGRequestSchema, { subject: { case: 'wid', value: wid } });
    const workflow = (wid: string) => send(A, 'LedgerService/GetWorkflow', GetWorkflowRequestSchema, { wid });
    const at = (place: bigint) =>
      send(A, 'LedgerService/GetEntry', GetEntryRequestSchema, { name: { case: 'index', value: place } });
    const proof = (place: bigint) =>
      send(A, 'LedgerService/GetInclusionProof', GetInclusionProofRequestSchema, { leafIndex: place });
    const noIssuer = B.replace('/b', '/n');
    const pairs: Readonly<Record<string, readonly [Promise<Answer>, Promise<Answer>]>> = {
      GetEntry: [entry(A, hidden), entry(A, randomUUID())],
      'GetEntry in a workflow': [entry(A, hiddenWithin, OF_B), entry(A, randomUUID(), ABSENT)],
      'GetEntry at an index': [at(index), at(10_000n)],
      GetInclusionProof: [proof(index), proof(10_000n)],
      GetRecording: [recording(A, hidden), recording(A, randomUUID())],
      GetWorkflow: [workflow(OF_B), workflow(ABSENT)],
      ValidateDAG: [validate(OF_B), validate(ABSENT)],
      'ListEntries of a workflow': [list(A, { wid: OF_B }), list(A, { wid: ABSENT })],
      'ListEntries of an issuer': [list(A, { iss: B }), list(A, { iss: noIssuer })],
      'Issue behind a task of another workflow': [follow(hiddenWithin), follow(randomUUID())],
    };
    for (const [name, [refused, missing]] of Object.entries(pairs)) {
      const [one, other] = [onWire(await refused), onWire(await missing)];
      // NOT_FOUND, a list without entries, or FAILED_PRECONDITION for a predecessor that is missing.
      expect(statusOf(await refused), name).toMatch(/^[059]$/);
      expect(one, name).not.toContain(B);
      expect(one, name).toBe(other);
    }
  });
});

/** The names of tasks and workflows that were asked for are repeated. */
const NAMES = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

function onWire({ headers, body, trailers }: Answer): string {
  const lines = Object.entries({ ...headers, ...trailers })
    .filter(([name]) => name !== 'date')
    .map(([name, value]) => {
      const text = String(value);
      return `${name}: ${name.endsWith('-bin') ? Buffer.from(text, 'base64').toString('latin1') : text}`;
    });
  return [...lines, body.toString('latin1')].join('\n').replace(NAMES, 'NAME');
}
