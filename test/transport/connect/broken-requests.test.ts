// Requests that no client would make: each is rejected in the words of its protocol.

import type { OutgoingHttpHeaders } from 'node:http';
import { gzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { endStreamFromJson } from '@connectrpc/connect/protocol-connect';
import { trailerParse } from '@connectrpc/connect/protocol-grpc-web';
import { describe, expect, test } from 'vitest';
import { type ErrorInfo, ErrorInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.ts';
import { errorInfoOf, frame, type RawRequest, rawHttp1, rawHttp2 } from '../../support/rpc-clients.ts';
import { MAX_REQUEST_BYTES } from '../../support/rpc-server.ts';
import { ISSUE, message, running, url } from './served.ts';

/** The three wire forms of one unary call, each with how its failure is read. */
const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };
const GRPC_WEB = { 'content-type': 'application/grpc-web+proto' };
const CONNECT = { 'content-type': 'application/proto' };
const CONNECT_JSON = { 'content-type': 'application/json' };
const bomb = gzipSync(Buffer.alloc(50_000_000));

interface Broken {
  readonly title: string;
  readonly request: Omit<RawRequest, 'path'> & { readonly path?: string };
  readonly code: Code;
  readonly reason: string;
}

const malformed = { code: Code.InvalidArgument, reason: 'REQUEST_MALFORMED' };
const tooLarge = { code: Code.ResourceExhausted, reason: 'MESSAGE_TOO_LARGE' };

function framed(headers: OutgoingHttpHeaders, name: string): Broken[] {
  const cases: Omit<Broken, 'code' | 'reason'>[] = [
    { title: 'no message', request: { headers, body: Buffer.alloc(0) } },
    { title: 'two messages', request: { headers, body: Buffer.concat([frame(message), frame(message)]) } },
    { title: 'trailers in place of a message', request: { headers, body: frame(message, 0x80) } },
    {
      title: 'trailers behind the message',
      request: { headers, body: Buffer.concat([frame(message), frame(Buffer.from('x: y\r\n'), 0x80)]) },
    },
    { title: 'a short body', request: { headers, body: frame(message, 0, message.length + 9) } },
    { title: 'half a frame head', request: { headers, body: Buffer.from([0, 0]) } },
    { title: 'bytes that are no protobuf', request: { headers, body: frame(Buffer.from([0xff, 0xff, 0xff])) } },
    { title: 'a compressed message without an encoding', request: { headers, body: frame(gzipSync(message), 1) } },
    {
      title: 'a compression that nobody knows',
      request: { headers: { ...headers, 'grpc-encoding': 'zip9' }, body: frame(message, 1) },
    },
    {
      title: 'gzip that is not gzip',
      request: { headers: { ...headers, 'grpc-encoding': 'gzip' }, body: frame(message, 1) },
    },
    {
      title: 'gzip that ends too early',
      request: { headers: { ...headers, 'grpc-encoding': 'gzip' }, body: frame(gzipSync(message).subarray(0, 15), 1) },
    },
    { title: 'a malformed timeout', request: { headers: { ...headers, 'grpc-timeout': '-1S' }, body: frame(message) } },
  ];
  const large: Omit<Broken, 'code' | 'reason'>[] = [
    { title: 'a length of 4 GB', request: { headers, body: frame(message, 0, 0xffffffff) } },
    {
      title: 'a gzip bomb',
      request: {
        headers: { ...headers, 'grpc-encoding': 'gzip' },
        path: '/ect.v1.AuthorityService/BatchIssue',
        body: frame(bomb.subarray(0), 1),
      },
    },
  ];
  return [
    ...cases.map((broken) => ({ ...broken, ...malformed, title: `${name}: ${broken.title}` })),
    ...large.map((broken) => ({ ...broken, ...tooLarge, title: `${name}: ${broken.title}` })),
  ];
}

const unary: Broken[] = [
  {
    title: 'Connect: bytes that are no protobuf',
    request: { headers: CONNECT, body: Buffer.from([0xff, 0xff]) },
    ...malformed,
  },
  {
    title: 'Connect: text that is no JSON',
    request: { headers: CONNECT_JSON, body: Buffer.from('{"execAct":') },
    ...malformed,
  },
  {
    title: 'Connect: JSON of another shape',
    request: { headers: CONNECT_JSON, body: Buffer.from('{"execAct":7}') },
    ...malformed,
  },
  {
    title: 'Connect: JSON nested 1,000 deep',
    request: { headers: CONNECT_JSON, body: Buffer.from(`{"ectExt":${'{"a":'.repeat(600)}1${'}'.repeat(600)}}`) },
    ...malformed,
  },
  {
    title: 'Connect: a compression that nobody knows',
    request: { headers: { ...CONNECT, 'content-encoding': 'zip9' }, body: message },
    ...malformed,
  },
  {
    title: 'Connect: gzip that ends too early',
    request: { headers: { ...CONNECT, 'content-encoding': 'gzip' }, body: gzipSync(message).subarray(0, 15) },
    ...malformed,
  },
  {
    title: 'Connect: a malformed timeout',
    request: { headers: { ...CONNECT, 'connect-timeout-ms': '1s' }, body: message },
    ...malformed,
  },
  {
    title: 'Connect: a body over the limit',
    request: { headers: CONNECT, body: Buffer.alloc(MAX_REQUEST_BYTES + 1) },
    ...tooLarge,
  },
  {
    title: 'Connect: GET with broken base64',
    request: { method: 'GET', path: '/ect.v1.KeyService/GetKeySet?connect=v1&encoding=proto&base64=1&message=***' },
    ...malformed,
  },
  {
    title: 'Connect: an unknown method',
    request: { headers: CONNECT_JSON, path: '/ect.v1.AuthorityService/Nope', body: Buffer.from('{}') },
    code: Code.Unimplemented,
    reason: 'METHOD_UNKNOWN',
  },
  {
    title: 'gRPC: an unknown method',
    request: { headers: GRPC, path: '/ect.v1.AuthorityService/Nope', body: frame(message) },
    code: Code.Unimplemented,
    reason: 'METHOD_UNKNOWN',
  },
  {
    title: 'gRPC: an unknown path',
    request: { headers: GRPC, path: '/', body: frame(message) },
    code: Code.Unimplemented,
    reason: 'METHOD_UNKNOWN',
  },
  {
    title: 'gRPC-Web: an unknown method',
    request: { headers: GRPC_WEB, path: '/ect.v1.AuthorityService/Nope', body: frame(message) },
    code: Code.Unimplemented,
    reason: 'METHOD_UNKNOWN',
  },
];

const stream = { path: '/grpc.health.v1.Health/Watch', headers: { 'content-type': 'application/connect+proto' } };
const connectStream: Broken[] = [
  { title: 'Connect stream: no message', request: { ...stream, body: Buffer.alloc(0) }, ...malformed },
  {
    title: 'Connect stream: a short body',
    request: { ...stream, body: frame(Buffer.from([10, 0]), 0, 9) },
    ...malformed,
  },
  {
    title: 'Connect stream: a message over the limit',
    request: { ...stream, body: frame(Buffer.alloc(5000)) },
    ...tooLarge,
  },
  {
    title: 'Connect stream: an unknown method',
    request: { ...stream, path: '/grpc.health.v1.Health/Nope', body: frame(Buffer.alloc(0)) },
    code: Code.Unimplemented,
    reason: 'METHOD_UNKNOWN',
  },
];

describe('H11, H12: every request that cannot be served is rejected with ErrorInfo, in the words of its protocol', () => {
  test.each([...framed(GRPC, 'gRPC'), ...framed(GRPC_WEB, 'gRPC-Web'), ...unary, ...connectStream])(
    '$title',
    async ({ request, code, reason }) => {
      const before = running.calls().length;
      const faultsBefore = faults();
      const answer = await rawHttp2(url, { path: ISSUE, ...request });
      const failure = readFailure(answer.headers, answer.trailers, answer.body);
      expect(failure).toMatchObject({ code, info: { reason, domain: 'ect-authority' } });
      expect(running.calls().slice(before)).toMatchObject([{ reason }]);
      expect(faults()).toBe(faultsBefore);
    },
  );

  test('a body that trickles in is cut off at the deadline, and its stream is freed', async () => {
    for (const headers of [GRPC, GRPC_WEB, CONNECT]) {
      const answer = await rawHttp2(url, {
        path: ISSUE,
        headers: { ...headers, 'grpc-timeout': '40m', 'connect-timeout-ms': '40' },
        body: Buffer.from([0]),
        keepOpen: true,
      });
      const failure = readFailure(answer.headers, answer.trailers, answer.body);
      expect(failure).toMatchObject({ code: Code.DeadlineExceeded, info: { reason: 'DEADLINE_EXCEEDED' } });
      expect(answer.resetCode).toBe(0);
    }
  });

  test('a body over the limit is rejected over HTTP/1.1 without cutting the connection', async () => {
    const answer = await rawHttp1(url, { path: ISSUE, headers: CONNECT_JSON, body: Buffer.alloc(300_000, ' ') });
    expect(readFailure(answer.headers, answer.trailers, answer.body)).toMatchObject({
      code: Code.ResourceExhausted,
      info: { reason: 'MESSAGE_TOO_LARGE', metadata: { limit_bytes: String(MAX_REQUEST_BYTES) } },
    });
  });

  test.each([
    ['a verb that the method does not have', { method: 'GET', path: ISSUE }, 405],
    ['a content type that is none of the protocols', { path: ISSUE, headers: { 'content-type': 'text/plain' } }, 415],
    [
      'a codec that gRPC does not have here',
      { path: ISSUE, headers: { 'content-type': 'application/grpc+thrift' } },
      415,
    ],
    [
      'a bidirectional stream over HTTP/1.1',
      {
        path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
        headers: { 'content-type': 'application/connect+json' },
      },
      505,
    ],
    ['a page that does not exist', { method: 'GET', path: '/nope' }, 404],
  ])('%s is a problem document over HTTP/1.1', async (_title, request, status) => {
    const answer = await rawHttp1(url, request);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    const problem = JSON.parse(answer.body.toString());
    expect(problem).toMatchObject({ status, reason: status === 404 ? 'METHOD_UNKNOWN' : 'REQUEST_MALFORMED' });
    if (status === 405) expect(answer.headers['allow']).toBe('POST');
    // A cache may keep a 404 that says nothing.
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  test('no text of the request comes back', async () => {
    const answer = await rawHttp2(url, {
      path: ISSUE,
      headers: CONNECT_JSON,
      body: Buffer.from('{"execAct": eyJhbGciOi'),
    });
    expect(answer.body.toString()).not.toContain('eyJ');
    const compression = await rawHttp2(url, { path: ISSUE, headers: { ...GRPC, 'grpc-encoding': 'eyJhbGci' } });
    expect(String(compression.trailers['grpc-message'])).not.toContain('eyJ');
  });
});

/** Lines that ask for an operator. A bad request is none. */
function faults(): number {
  return running.lines.filter(({ level }) => level === 'error').length;
}

type Headers_ = Readonly<Record<string, string | string[] | undefined>>;

function readFailure(headers: Headers_, trailers: Headers_, body: Buffer): { code: Code; info: ErrorInfo | undefined } {
  const type = headers['content-type'];
  if (type === 'application/grpc' || type === 'application/grpc+proto') {
    const status = trailers['grpc-status'] === undefined ? headers : trailers;
    return { code: Number(status['grpc-status']) as Code, info: errorInfoOf(status['grpc-status-details-bin']) };
  }
  if (type === 'application/grpc-web+proto') {
    const trailer = trailerParse(body.subarray(5));
    return {
      code: Number(trailer.get('grpc-status')) as Code,
      info: errorInfoOf(trailer.get('grpc-status-details-bin')),
    };
  }
  if (type === 'application/connect+proto') {
    const { error } = endStreamFromJson(body.subarray(5));
    return { code: error?.code ?? Code.Unknown, info: error?.findDetails(ErrorInfoSchema)[0] };
  }
  const json = JSON.parse(body.toString()) as { code: string; details: { type: string; value: string }[] };
  const detail = json.details.find((found) => found.type === 'google.rpc.ErrorInfo');
  const code =
    Code[
      json.code
        .split('_')
        .map((word) => word[0]?.toUpperCase() + word.slice(1))
        .join('') as keyof typeof Code
    ];
  return { code, info: detail && fromBinary(ErrorInfoSchema, Buffer.from(detail.value, 'base64')) };
}
