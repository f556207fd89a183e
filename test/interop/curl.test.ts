// A stranger with nothing but curl: JSON over HTTP/1.1, and the pages.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../support/need.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { runProgram } from './run-program.ts';

const AUDIENCE = 'urn:example:reviewer';

let service: ServiceProcess;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service?.[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly version: string;
  readonly contentType: string;
  readonly body: string;
}

async function curl(...args: readonly string[]): Promise<Answer> {
  const format = '\\n%{http_code} %{http_version} %{content_type}';
  const { code, stdout, stderr } = await runProgram('curl', ['-sS', '--http1.1', '-w', format, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const end = stdout.lastIndexOf('\n');
  const [status, version = '', ...contentType] = stdout.slice(end + 1).split(' ');
  return { status: Number(status), version, contentType: contentType.join(' '), body: stdout.slice(0, end) };
}

function post(method: string, request: object): Promise<Answer> {
  const url = `${service.url}/ect.v1.${method}`;
  return curl(url, '-H', 'content-type: application/json', '--data', JSON.stringify(request));
}

function get(method: string, request: object): Promise<Answer> {
  const url = `${service.url}/ect.v1.${method}`;
  const query = ['connect=v1', 'encoding=json', `message=${JSON.stringify(request)}`];
  return curl('--get', url, ...query.flatMap((part) => ['--data-urlencode', part]));
}

/** The JSON of an answer that must be a success. */
async function ok(answer: Promise<Answer>) {
  const { status, version, contentType, body } = await answer;
  expect({ status, version, contentType }).toEqual({ status: 200, version: '1.1', contentType: 'application/json' });
  return JSON.parse(body);
}

describeWith('curl', 'curl', () => {
  test.each(['/nope', '/', '/readyz', '/ect.v1.AuthorityService/Issue'])(
    'HEAD %s over HTTP/2 is answered without content, which would end the connection',
    async (path) => {
      const args = ['-sS', '-I', '--http2-prior-knowledge', '-w', '%{http_version} %{http_code}', '-o', '/dev/null'];
      const { code, stdout, stderr } = await runProgram('curl', [...args, `${service.url}${path}`]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^2 (?:200|404|405)$/);
    },
  );

  test('issues, verifies, validates, appends and reads', async () => {
    const request = { execAct: 'review_spec', aud: [AUDIENCE], input: Buffer.from('test').toString('base64') };
    const { token, claims } = await ok(post('AuthorityService/Issue', request));
    expect(claims.inpHash).toBe('n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg');

    const verdict = await ok(post('AuthorityService/Verify', { token, audience: AUDIENCE }));
    expect(verdict).toMatchObject({ valid: true, level: 'LEVEL_L2' });
    const graph = await ok(post('AuthorityService/ValidateDAG', { token, graph_format: 'GRAPH_FORMAT_MERMAID' }));
    expect(graph).toMatchObject({ dagReport: { status: 'DAG_STATUS_COMPLETE' }, size: 1 });
    expect(graph.drawing).toContain('flowchart');

    const { entry } = await ok(post('AuthorityService/AppendLedger', { token }));
    expect(entry).toMatchObject({ task: { name: { jti: claims.jti }, token } });
    expect((await ok(post('LedgerService/GetEntry', { task: { jti: claims.jti } }))).entry).toEqual(entry);
  });

  test('an item of a batch that fails is a row with its details; the others are answered', async () => {
    const sound = { execAct: 'a', aud: [AUDIENCE] };
    const { results } = await ok(
      post('AuthorityService/BatchIssue', { items: [{ request: sound }, { request: { ...sound, execAct: '' } }, {}] }),
    );
    const [first, ...failed] = results;
    expect(first.response.token).toBeTruthy();
    const [{ error }] = failed;
    expect(error).toMatchObject({ code: 3, message: expect.stringContaining('exec_act') });
    expect(failed.map((row: typeof first) => row.error.details[0])).toMatchObject([
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'CLAIM_INVALID', metadata: { claim: 'exec_act' } },
      { reason: 'REQUEST_INVALID', domain: 'ect-authority', metadata: { field: 'items[2].request' } },
    ]);

    const { token } = first.response;
    for (const [method, reason] of [
      ['BatchVerify', 'REQUEST_INVALID'],
      ['BatchAppendLedger', 'TOKEN_MALFORMED'],
    ] as const) {
      const items = [{ request: { token, ...(method === 'BatchVerify' ? { audience: AUDIENCE } : {}) } }];
      const answer = await ok(post(`AuthorityService/${method}`, { items: [...items, { request: { token: 'x' } }] }));
      expect(answer.results[0]).toMatchObject(
        method === 'BatchVerify' ? { response: { valid: true } } : { response: { entry: {} } },
      );
      expect(answer.results[1].error.details[0]).toMatchObject({ reason });
    }
  });

  test('reads without side effects by GET, and writes not', async () => {
    const { token, claims } = await ok(
      post('AuthorityService/Issue', { execAct: 'a', aud: [AUDIENCE], level: 'LEVEL_L3' }),
    );
    expect((await ok(get('LedgerService/GetEntry', { task: { jti: claims.jti } }))).entry.task.token).toBe(token);
    expect(await ok(get('AuthorityService/ValidateDAG', { token }))).toMatchObject({ size: 1 });
    expect(await ok(get('KeyService/GetKeySet', {}))).toMatchObject({ keys: [{ alg: 'ES256' }] });
    const rejected = await get('AuthorityService/Issue', { execAct: 'a', aud: [AUDIENCE] });
    expect(rejected.status).toBe(405);
    expect(JSON.parse(rejected.body)).toMatchObject({ reason: 'REQUEST_MALFORMED' });
  });

  describe('gets the reason of a rejection', () => {
    test('with google.rpc.ErrorInfo in readable form', async () => {
      const foreign = { execAct: 'a', aud: [AUDIENCE], iss: 'urn:other' };
      const { status, body } = await post('AuthorityService/Issue', foreign);
      expect(status).toBe(403);
      expect(JSON.parse(body)).toMatchObject({
        code: 'permission_denied',
        details: [
          {
            type: 'google.rpc.ErrorInfo',
            debug: { domain: 'ect-authority', reason: 'ISSUER_NOT_ALLOWED', metadata: { iss: 'urn:other' } },
          },
        ],
      });
    });

    test.each([
      ['JSON that is none', '{"execAct":'],
      ['a field of another type', '{"execAct":7}'],
    ])('for %s', async (_, data) => {
      const url = `${service.url}/ect.v1.AuthorityService/Issue`;
      const { status, body } = await curl(url, '-H', 'content-type: application/json', '--data', data);
      expect(status).toBe(400);
      expect(JSON.parse(body).details[0].debug).toMatchObject({ domain: 'ect-authority', reason: 'REQUEST_MALFORMED' });
    });

    test('for a method that does not exist', async () => {
      const { status, body } = await post('AuthorityService/Forge', {});
      expect(status).toBe(501);
      expect(JSON.parse(body).details[0].debug).toMatchObject({ domain: 'ect-authority', reason: 'METHOD_UNKNOWN' });
    });
  });

  describe('the pages', () => {
    const page = (path: string, ...args: readonly string[]) => curl(`${service.url}${path}`, ...args);

    test('/.well-known/jwks.json has the key that signs, and only its public half', async () => {
      const { status, contentType, body } = await page('/.well-known/jwks.json');
      expect({ status, contentType }).toEqual({ status: 200, contentType: 'application/jwk-set+json' });
      const { keys } = JSON.parse(body);
      const { kid } = await ok(post('AuthorityService/Issue', { execAct: 'a', aud: [AUDIENCE] }));
      expect(keys).toEqual([expect.objectContaining({ kid, kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })]);
      expect(keys[0]).not.toHaveProperty('d');
    });

    test('/healthz and /readyz say that it lives and that it takes calls', async () => {
      expect(await page('/healthz')).toMatchObject({ status: 200, body: '{"alive":true}\n' });
      const ready = await page('/readyz');
      expect(ready.status).toBe(200);
      expect(JSON.parse(ready.body)).toEqual({
        ready: true,
        checks: { accepting: true, ledger: true, storage: true, integrity: true },
        methods: {
          'ect.v1.AuthorityService/Issue': true,
          'ect.v1.AuthorityService/BatchIssue': true,
          'ect.v1.AuthorityService/AppendLedger': true,
          'ect.v1.AuthorityService/BatchAppendLedger': true,
        },
      });
    });

    test('/metrics counts calls by method, code and reason', async () => {
      await post('AuthorityService/AppendLedger', { token: 'a.b.c' });
      const { status, body } = await page('/metrics');
      expect(status).toBe(200);
      expect(body).toMatch(
        /^ect_calls_total\{method="ect\.v1\.AuthorityService\/AppendLedger",code="INVALID_ARGUMENT",reason="TOKEN_MALFORMED"\} [1-9]/m,
      );
      expect(body).toMatch(/^ect_ledger_size \d+$/m);
    });

    test('are only read', async () => {
      const { status, contentType } = await page('/healthz', '--request', 'DELETE');
      expect({ status, contentType }).toEqual({ status: 405, contentType: 'application/problem+json' });
    });

    test('a path that is none answers a problem with its reason', async () => {
      const { status, contentType, body } = await page('/no/such/page');
      expect({ status, contentType }).toEqual({ status: 404, contentType: 'application/problem+json' });
      expect(JSON.parse(body)).toMatchObject({ status: 404, reason: 'METHOD_UNKNOWN' });
    });
  });
});
