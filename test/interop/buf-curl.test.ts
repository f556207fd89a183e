// A stranger without code: `buf curl`, over every protocol and HTTP version, with the schema that the server tells it.

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { dial } from './grpc-js-client.ts';
import { runProgram } from './run-program.ts';

const REPOSITORY = new URL('../../', import.meta.url);
const BUF = fileURLToPath(new URL('node_modules/.bin/buf', REPOSITORY));
const AUDIENCE = 'urn:example:reviewer';

const H2 = ['--http2-prior-knowledge'];
// Reflection is a stream in both directions, which HTTP/1.1 does not have: there buf reads the protos.
const H1 = ['--schema', 'proto'];
const ROUTES: readonly (readonly [name: string, options: readonly string[], version: string])[] = [
  ['gRPC over h2c', ['--protocol', 'grpc', ...H2], 'HTTP/2.0'],
  ['gRPC-Web over h2c', ['--protocol', 'grpcweb', ...H2], 'HTTP/2.0'],
  ['Connect over h2c', ['--protocol', 'connect', ...H2], 'HTTP/2.0'],
  ['gRPC-Web over HTTP/1.1', ['--protocol', 'grpcweb', ...H1], 'HTTP/1.1'],
  ['Connect over HTTP/1.1', ['--protocol', 'connect', ...H1], 'HTTP/1.1'],
];

let service: ServiceProcess;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service?.[Symbol.asyncDispose]());

async function buf(options: readonly string[], method: string, request: object) {
  const url = `${service.url}/ect.v1.${method}`;
  const args = ['curl', ...options, url, '--data', JSON.stringify(request)];
  return runProgram(BUF, args, { cwd: REPOSITORY });
}

/** The answer of a call that must succeed, as JSON. */
async function call(options: readonly string[], method: string, request: object) {
  const { code, stdout, stderr } = await buf(options, method, request);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

describe.each(ROUTES)('%s', (_, options, version) => {
  test('issues, verifies, validates, appends and reads', async () => {
    const issue = { exec_act: 'review_spec', aud: [AUDIENCE], ect_ext: { 'org.example.ticket': 'A-1' } };
    const { token, claims } = await call(options, 'AuthorityService/Issue', issue);
    expect(claims).toMatchObject({ iss: 'urn:ect:dev', execAct: 'review_spec', ectExt: issue.ect_ext });

    const verdict = await call(options, 'AuthorityService/Verify', { token, audience: AUDIENCE });
    expect(verdict).toMatchObject({ valid: true, level: 'LEVEL_L2', claims: { jti: claims.jti } });
    const graph = await call(options, 'AuthorityService/ValidateDAG', { token });
    expect(graph).toMatchObject({
      dagReport: { status: 'DAG_STATUS_COMPLETE' },
      size: 1,
      roots: [{ jti: claims.jti }],
    });

    const { entry, receipt } = await call(options, 'AuthorityService/AppendLedger', { token });
    expect(entry).toMatchObject({ task: { name: { jti: claims.jti }, token } });
    expect(receipt.inclusion).toMatchObject({ leafIndex: entry.index, checkpoint: expect.any(String) });
    const read = await call(options, 'LedgerService/GetEntry', { task: { jti: claims.jti } });
    expect(read.entry).toEqual(entry);
  });

  test('gets the reason of a rejection', async () => {
    const rejected = await buf(options, 'AuthorityService/AppendLedger', { token: 'a.b' });
    // buf exits with eight times the code of gRPC: 3 is INVALID_ARGUMENT.
    expect(rejected.code).toBe(24);
    const error = JSON.parse(rejected.stderr);
    expect(error.code).toBe('invalid_argument');
    const [detail] = error.details;
    expect(detail.type).toBe('google.rpc.ErrorInfo');
    using loader = dial(service.address);
    const any = { type_url: `type.googleapis.com/${detail.type}`, value: Buffer.from(detail.value, 'base64') };
    const info = loader.errorInfoIn({ code: 3, message: '', details: [any] });
    expect(info).toMatchObject({ domain: 'ect-authority', reason: 'TOKEN_MALFORMED' });
  });

  test('gets the reason of a failed item of a batch', async () => {
    const { results } = await call(options, 'AuthorityService/BatchVerify', { items: [{ reference: 'r' }] });
    const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'REQUEST_INVALID' };
    expect(results).toMatchObject([{ reference: 'r', error: { code: 3, details: [info, {}] } }]);
  });

  test('really speaks this version of HTTP', async () => {
    const { stderr } = await buf([...options, '--verbose'], 'KeyService/GetKeySet', {});
    expect(stderr).toMatch(/^buf: > \(#\d+\) POST \/ect\.v1\.KeyService\/GetKeySet$/m);
    expect(new Set(stderr.match(/HTTP\/[\d.]+(?= 200 OK)/g))).toEqual(new Set([version]));
  });
});

test.each(['grpc-v1', 'grpc-v1alpha'])('reflection %s lists every method', async (reflection) => {
  const args = ['curl', ...H2, '--reflect-protocol', reflection, '--list-methods', service.url];
  const { stdout, code } = await runProgram(BUF, args, { cwd: REPOSITORY });
  expect(code).toBe(0);
  const methods = stdout.trim().split('\n');
  for (const name of [
    'Issue',
    'BatchIssue',
    'Verify',
    'BatchVerify',
    'ValidateDAG',
    'AppendLedger',
    'BatchAppendLedger',
  ]) {
    expect(methods).toContain(`ect.v1.AuthorityService/${name}`);
  }
  expect(methods).toContain('ect.v1.KeyService/GetKeySet');
  expect(methods).toContain('grpc.health.v1.Health/Watch');
});
