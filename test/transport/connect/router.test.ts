// The Connect router over the wire: every protocol, clients of two makers, and requests that no client would make.

import { Code, createClient, type Transport } from '@connectrpc/connect';
import { describe, expect, test, vi } from 'vitest';
import { KeyService } from '../../../src/gen/ect/v1/keys_pb.ts';
import {
  authorityClient,
  failureOf,
  frame,
  grpcJsClient,
  grpcJsFailure,
  PROTOCOLS,
  rawHttp1,
  rawHttp2,
  transports,
} from '../../support/rpc-clients.ts';
import { MAX_REQUEST_BYTES, startTestServer } from '../../support/rpc-server.ts';
import { SOON } from '../../support/soon.ts';
import { ISSUE, running, url } from './served.ts';

const REFLECT = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('a call is answered', async () => {
    const { token } = await authorityClient(url, protocol).issue({ execAct: 'review_spec' });
    expect(token).toBe('issued for anonymous');
  });

  test('a rejection arrives with its code, its remedy and ErrorInfo', async () => {
    const failure = await failureOf(authorityClient(url, protocol).issue({ execAct: 'refuse' }));
    expect(failure.code).toBe(Code.InvalidArgument);
    expect(failure.message).toBe('exec_act is not allowed. Correct each named field.');
    expect(failure.info).toMatchObject({
      reason: 'REQUEST_INVALID',
      domain: 'ect-authority',
      metadata: { field: 'exec_act' },
    });
  });

  test('S1: a bug is INTERNAL, and neither its text nor its stack leaves', async () => {
    const failure = await failureOf(authorityClient(url, protocol).issue({ execAct: 'bug' }));
    expect(failure.code).toBe(Code.Internal);
    expect(failure.info?.reason).toBe('INTERNAL');
    expect(failure.message).toBe('the service failed. Report this as a bug, with the time of the call.');
  });

  test('H14: when the deadline passes the answer is DEADLINE_EXCEEDED from the server, even if the procedure is stuck', async () => {
    const before = running.seen.length;
    // On a busy machine a deadline passes before the procedure has begun: it is asked for again, with a longer one.
    for (let ms = 50; running.seen.length === before; ms *= 2) {
      // The client's own clock would answer first: it is asked for by the header alone.
      const headers = { 'grpc-timeout': `${ms}m`, 'connect-timeout-ms': `${ms}` };
      const failure = await failureOf(authorityClient(url, protocol).issue({ execAct: 'hang' }, { headers }));
      expect(failure.code).toBe(Code.DeadlineExceeded);
      expect(failure.info?.reason).toBe('DEADLINE_EXCEEDED');
    }
    expect(running.seen.at(-1)?.signal.aborted).toBe(true);
  });

  test('H12: a deadline of hours is not rejected', async () => {
    const { token } = await authorityClient(url, protocol).issue({}, { timeoutMs: 36_000_000 });
    expect(token).not.toBe('');
  });

  test('H14: a caller that cancels leaves one event, and aborts the procedure', async () => {
    const before = running.calls().length;
    const abort = new AbortController();
    const seen = running.seen.length;
    const call = authorityClient(url, protocol).issue({ execAct: 'hang' }, { signal: abort.signal });
    const failure = failureOf(call);
    await vi.waitFor(() => expect(running.seen).toHaveLength(seen + 1), SOON);
    abort.abort();
    expect((await failure).code).toBe(Code.Canceled);
    await vi.waitFor(() => expect(running.calls()).toHaveLength(before + 1), SOON);
    expect(running.calls().at(-1)).toMatchObject({ code: 'CANCELLED', reason: 'CALL_CANCELLED' });
    expect(running.seen.at(-1)?.signal.aborted).toBe(true);
  });

  test('H11: a message over the limit of its method is MESSAGE_TOO_LARGE; another method has another limit', async () => {
    const client = authorityClient(url, protocol);
    const large = { execAct: 'x'.repeat(MAX_REQUEST_BYTES + 1) };
    const failure = await failureOf(client.issue(large));
    expect(failure.code).toBe(Code.ResourceExhausted);
    expect(failure.info?.reason).toBe('MESSAGE_TOO_LARGE');
    expect(failure.info?.metadata).toEqual({ limit_bytes: String(MAX_REQUEST_BYTES) });
    await client.batchIssue({ items: [{ request: large }] });
  });

  test('an answer that rejects is logged with its reason', async () => {
    await authorityClient(url, protocol).verify({ token: 'x' });
    expect(running.calls().at(-1)).toMatchObject({ outcome: 'refused', code: 'OK', reason: 'TOKEN_EXPIRED' });
  });

  test('H12: a service that is not served is METHOD_UNKNOWN', async () => {
    await using other = await startTestServer({ services: [] });
    const failure = await failureOf(authorityClient(other.server.url, protocol).issue({}));
    expect(failure.code).toBe(Code.Unimplemented);
    expect(failure.info?.reason).toBe('METHOD_UNKNOWN');
    expect(other.calls()).toMatchObject([{ method: 'unknown', code: 'UNIMPLEMENTED', reason: 'METHOD_UNKNOWN' }]);
  });
});

test('a read without side effects is served by GET', async () => {
  const transport = transports(url)['Connect over HTTP/1.1'] as Transport;
  const { jwksJson } = await createClient(KeyService, transport).getKeySet({});
  expect(jwksJson).toBe('{"kind":"anonymous"}');
  const answer = await rawHttp1(url, {
    method: 'GET',
    path: '/ect.v1.KeyService/GetKeySet?connect=v1&encoding=json&message=%7B%7D',
  });
  expect(answer.status).toBe(200);
});

test('what a GET is answered with depends on its caller, so no cache keeps it, be it a result or an error', async () => {
  for (const query of ['connect=v1&encoding=json&message=%7B%7D', 'connect=v1&encoding=json&message=%7B', 'x']) {
    const answer = await rawHttp1(url, { method: 'GET', path: `/ect.v1.KeyService/GetKeySet?${query}` });
    expect(answer.headers['cache-control'], query).toBe('no-store');
  }
});

test('the rejection of an invalid GET says how to call the method by GET, if that is possible', async () => {
  const read = await rawHttp1(url, { method: 'GET', path: '/ect.v1.KeyService/GetKeySet' });
  expect(read.status).toBe(415);
  expect(read.body.toString()).toContain('by GET with ?connect=v1');
  const written = await rawHttp1(url, { method: 'GET', path: ISSUE });
  expect(written.status).toBe(405);
  expect(written.body.toString()).not.toContain('by GET');
});

describe('JSON answers write out default values', () => {
  test.each([
    ['application/json', ISSUE, { kid: '', checks: [] }],
    ['application/grpc+json', ISSUE, { kid: '', checks: [] }],
    ['application/grpc-web+json', ISSUE, { kid: '', checks: [] }],
    ['application/grpc+json', REFLECT, { validHost: '' }],
    ['application/connect+json', REFLECT, { validHost: '' }],
  ])('%s %s', async (type, path, defaults) => {
    const isFramed = type !== 'application/json';
    const message = Buffer.from(path === ISSUE ? '{}' : '{"listServices":""}');
    const body = isFramed ? frame(message) : message;
    const answer = await rawHttp2(url, { path, headers: { 'content-type': type }, body });
    const length = isFramed ? answer.body.readUInt32BE(1) : answer.body.length;
    const start = isFramed ? 5 : 0;
    expect(JSON.parse(answer.body.toString('utf8', start, start + length))).toMatchObject(defaults);
    // Nothing but trailers in a frame of their own comes after it.
    const rest = answer.body.subarray(start + length);
    if (rest.length > 0) expect(rest.length).toBe(5 + rest.readUInt32BE(1));
    expect(rest.length > 0).toBe(/web|connect/.test(type));
  });
});

describe('grpc-js, with its own loader and codec', () => {
  test('failures carry their ErrorInfo in grpc-status-details-bin', async () => {
    const client = grpcJsClient(url.replace('http://', ''), 'ect.v1.AuthorityService');
    try {
      const cases: readonly [object, object, Code, string][] = [
        [{ exec_act: 'refuse' }, {}, Code.InvalidArgument, 'REQUEST_INVALID'],
        [{ exec_act: 'bug' }, {}, Code.Internal, 'INTERNAL'],
        [{ exec_act: 'down' }, {}, Code.Unavailable, 'LEDGER_UNAVAILABLE'],
        [{ exec_act: 'x'.repeat(MAX_REQUEST_BYTES) }, {}, Code.ResourceExhausted, 'MESSAGE_TOO_LARGE'],
      ];
      for (const [request, options, code, reason] of cases) {
        const failure = await grpcJsFailure(client, 'Issue', request, options);
        expect(failure).toMatchObject({ code, info: { reason, domain: 'ect-authority' } });
      }
    } finally {
      client.close();
    }
  });

  test('an unknown service is UNIMPLEMENTED with ErrorInfo', async () => {
    await using other = await startTestServer({ services: [] });
    const client = grpcJsClient(other.server.url.replace('http://', ''), 'ect.v1.AuthorityService');
    try {
      const failure = await grpcJsFailure(client, 'Issue', {});
      expect(failure).toMatchObject({ code: Code.Unimplemented, info: { reason: 'METHOD_UNKNOWN' } });
    } finally {
      client.close();
    }
  });
});
