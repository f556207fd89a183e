// Requests of every shape, good and broken, at both transports: the same answer, byte for byte, and the same one event.

import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { BatchIssueRequestSchema } from '../../../src/gen/ect/v1/authority_pb.ts';
import { errorInfoOf, frame, rawHttp2 } from '../../support/rpc-clients.ts';
import { BATCH_LIMIT, LIMIT } from './permissive-service.ts';
import { ISSUE, issueCall, message, reasonOf, sized, usePermissiveTransports } from './permissive-transports.ts';
import { GRPC, type RawCall } from './raw-call.ts';

const BATCH_ISSUE = '/ect.v1.AuthorityService/BatchIssue';
const GOOD = frame(message('good'));
const gzipped = gzipSync(message('good'));
const GZIP = { ...GRPC, 'grpc-encoding': 'gzip' };

const willing = usePermissiveTransports();

test('each server serves by the transport that its name says', async () => {
  willing.transports.claimEvents(1);
  const types = willing.transports.both.map(async ({ server }) => {
    const { headers } = await rawHttp2(server.url, { path: ISSUE, headers: GRPC, body: GOOD });
    return headers['content-type'];
  });
  expect(await Promise.all(types)).toEqual(['application/grpc', ...Array(2).fill('application/grpc+proto')]);
});

describe('H12: metadata that means nothing here changes nothing', () => {
  test.each<[string, RawCall['headers']]>([
    ['unknown names', { 'x-request-id': 'a', 'user-agent': 'grpc-node-js/1.14', 'x-empty': '' }],
    ['binary values', { 'trace-bin': 'AAEC', 'padded-bin': 'AAE=' }],
    ['a binary value that is not base64', { 'trace-bin': '*** not base64 ***' }],
    ['duplicates', { 'x-twice': ['a', 'b'], 'twice-bin': ['AA', 'AQ'] }],
    ['reserved names', { 'grpc-unknown': '1', 'grpc-message': 'x', 'grpc-status': '5' }],
    ['what the caller can read', { 'grpc-accept-encoding': 'gzip,br', 'accept-encoding': 'gzip' }],
    ['another message type', { 'grpc-message-type': 'ect.v1.VerifyRequest' }],
    ['headers of another protocol', { 'connect-protocol-version': '7', 'connect-timeout-ms': 'soon' }],
    ['8 KB', { 'x-large': 'x'.repeat(8192) }],
  ])('%s', async (_title, headers) => {
    const { answer } = await willing.call(issueCall('good', headers));
    expect(answer).toMatchObject({ status: 200, grpcStatus: '0', further: [] });
  });

  test('a call without te is served', async () => {
    const { answer } = await willing.call({ ...issueCall('good'), headers: { 'content-type': 'application/grpc' } });
    expect(answer.grpcStatus).toBe('0');
  });

  test('H6: headers of 17 KB are rejected before any transport', async () => {
    willing.transports.claimEvents(1);
    const headers = { ...GRPC, 'x-large': 'x'.repeat(17_000) };
    const [lean, connect, node] = await Promise.all(
      willing.transports.both.map(({ server }) => rawHttp2(server.url, { path: ISSUE, headers, body: GOOD })),
    );
    expect(lean?.headers['grpc-status']).toBe('8');
    expect(errorInfoOf(lean?.headers['grpc-status-details-bin'])?.reason).toBe('MESSAGE_TOO_LARGE');
    for (const other of [connect, node]) {
      expect({ ...lean?.headers, date: '' }).toEqual({ ...other?.headers, date: '' });
    }
  });
});

describe('content types, verbs and paths', () => {
  test.each([
    'application/grpc',
    'application/grpc+proto',
    'APPLICATION/GRPC',
    'Application/gRPC+Proto',
    'application/grpc; charset=utf-8',
    'application/grpc+proto;charset=utf-8',
    'application/grpc ;x=y',
    'application/grpc+json',
    'application/grpc+thrift',
    'application/grpcx',
    'text/plain',
  ])('content-type %s', async (type) => {
    const body = type.endsWith('json') ? [frame(Buffer.from('{"execAct":"good"}'))] : [GOOD];
    await willing.call({ path: ISSUE, headers: { ...GRPC, 'content-type': type }, body });
  });

  test('no content type', async () => {
    await willing.call({ path: ISSUE, headers: { te: 'trailers' }, body: [GOOD] });
  });

  test.each(['GET', 'PUT', 'OPTIONS', 'post'])('the verb %s', async (method) => {
    await willing.call({ ...issueCall('good'), method });
  });

  test.each([
    '/ect.v1.AuthorityService/Nope',
    '/ect.v1.NoService/Issue',
    '/ect.v1.authorityservice/issue',
    '/ect.v1.AuthorityService/Issue/',
    '//ect.v1.AuthorityService/Issue',
    '/ect.v1.AuthorityService%2FIssue',
    '/',
  ])('the path %s is METHOD_UNKNOWN', async (path) => {
    const seen = await willing.call({ ...issueCall('good'), path });
    expect(reasonOf(seen)).toBe('METHOD_UNKNOWN');
    expect(seen.events).toMatchObject([{ method: 'unknown', code: 'UNIMPLEMENTED' }]);
  });

  test('a query after the path is not looked at', async () => {
    const { answer } = await willing.call({ ...issueCall('good'), path: `${ISSUE}?a=b` });
    expect(answer.grpcStatus).toBe('0');
  });
});

describe('the size of a message', () => {
  const issue = (body: readonly Uint8Array[], further: Partial<RawCall> = {}) => ({ path: ISSUE, body, ...further });

  test('H11: at the limit it is served, one byte more is MESSAGE_TOO_LARGE', async () => {
    expect(reasonOf(await willing.call(issue([frame(sized(LIMIT))])))).toBe('');
    expect(reasonOf(await willing.call(issue([frame(sized(LIMIT + 1))])))).toBe('MESSAGE_TOO_LARGE');
  });

  test('H11: so it is where the message comes in many pieces', async () => {
    const pieces = (bytes: number) => {
      const whole = frame(sized(bytes));
      return Array.from({ length: Math.ceil(whole.length / 500) }, (_, at) => whole.subarray(at * 500, at * 500 + 500));
    };
    expect(reasonOf(await willing.call(issue(pieces(LIMIT))))).toBe('');
    expect(reasonOf(await willing.call(issue(pieces(LIMIT + 1))))).toBe('MESSAGE_TOO_LARGE');
  });

  test.each([LIMIT + 1, 2 ** 31, 2 ** 32 - 1])(
    'H11: %d bytes that are only announced are rejected at once',
    async (length) => {
      const announced = frame(message('good'), 0, length);
      for (const keepOpen of [false, true]) {
        expect(reasonOf(await willing.call(issue([announced], { keepOpen })))).toBe('MESSAGE_TOO_LARGE');
        expect(reasonOf(await willing.call(issue([announced.subarray(0, 5)], { keepOpen })))).toBe('MESSAGE_TOO_LARGE');
      }
    },
  );

  test('H11: the announcement is read where it comes byte by byte', async () => {
    const bytes = [...frame(new Uint8Array(), 0, LIMIT + 1)].map((byte) => Uint8Array.of(byte));
    expect(reasonOf(await willing.call(issue(bytes, { keepOpen: true })))).toBe('MESSAGE_TOO_LARGE');
  });

  test('each method has its own limit', async () => {
    const batch = (bytes: number) => {
      const item = { reference: 'x'.repeat(bytes - 6) };
      const exact = toBinary(BatchIssueRequestSchema, create(BatchIssueRequestSchema, { items: [item] }));
      expect(exact).toHaveLength(bytes);
      return { path: BATCH_ISSUE, body: [frame(exact)] };
    };
    expect(reasonOf(await willing.call(batch(BATCH_LIMIT)))).toBe('');
    expect(reasonOf(await willing.call(batch(BATCH_LIMIT + 1)))).toBe('MESSAGE_TOO_LARGE');
  });
});

describe('H11: framing', () => {
  const plain: readonly (readonly [string, readonly Uint8Array[], string])[] = [
    ['no message', [], 'REQUEST_MALFORMED'],
    ['a message of no bytes', [frame(new Uint8Array())], ''],
    ['a frame in pieces of one byte', [...GOOD].map((byte) => Uint8Array.of(byte)), ''],
    ['half a prefix', [GOOD.subarray(0, 3)], 'REQUEST_MALFORMED'],
    ['a prefix alone', [GOOD.subarray(0, 5)], 'REQUEST_MALFORMED'],
    ['a body that is too short', [GOOD.subarray(0, GOOD.length - 1)], 'REQUEST_MALFORMED'],
    ['one byte too many', [GOOD, Uint8Array.of(0)], 'REQUEST_MALFORMED'],
    ['half a prefix too many', [GOOD, GOOD.subarray(0, 4)], 'REQUEST_MALFORMED'],
    ['two messages', [GOOD, GOOD], 'REQUEST_MALFORMED'],
    ['two messages in one piece', [Buffer.concat([GOOD, GOOD])], 'REQUEST_MALFORMED'],
    ['two messages of no bytes', [Buffer.alloc(10)], 'REQUEST_MALFORMED'],
    ['a message and an empty one', [GOOD, Buffer.alloc(5)], 'REQUEST_MALFORMED'],
    ['a message and half of another', [GOOD, GOOD.subarray(0, 8)], 'REQUEST_MALFORMED'],
    ['two messages that are together over the limit', [frame(sized(3000)), frame(sized(3000))], 'REQUEST_MALFORMED'],
    ['two messages, the second over the limit', [GOOD, frame(sized(LIMIT + 1))], 'MESSAGE_TOO_LARGE'],
    ['two of the largest messages', [frame(sized(LIMIT)), frame(sized(LIMIT))], 'REQUEST_MALFORMED'],
    ['a hundred messages', Array.from({ length: 100 }, () => frame(sized(200))), 'REQUEST_MALFORMED'],
    ['a message and the prefix of another', [GOOD, GOOD.subarray(0, 5)], ''],
    ['the compressed flag without an encoding', [frame(gzipped, 1)], 'REQUEST_MALFORMED'],
    ['the compressed flag on no bytes', [frame(new Uint8Array(), 1)], 'REQUEST_MALFORMED'],
    ['a compressed second message', [GOOD, frame(gzipped, 1)], 'REQUEST_MALFORMED'],
    ['a reserved flag', [frame(message('good'), 2)], ''],
    ['the flag that is a trailer in gRPC-Web', [frame(message('good'), 128)], 'REQUEST_MALFORMED'],
    ['the compressed flag on a body that is too short', [frame(gzipped, 1, 1000)], 'REQUEST_MALFORMED'],
    ['all flags', [frame(message('good'), 255)], 'REQUEST_MALFORMED'],
    ['the compressed flag and a length of 4 GiB', [frame(gzipped, 1, 2 ** 32 - 1)], 'MESSAGE_TOO_LARGE'],
    ['no protobuf', [frame(Buffer.from('{"execAct":"good"}'))], 'REQUEST_MALFORMED'],
    ['a field cut off', [frame(Buffer.from([10, 200, 1, 65]))], 'REQUEST_MALFORMED'],
    ['text that is not UTF-8', [frame(Buffer.from([10, 2, 0xff, 0xfe]))], 'REQUEST_MALFORMED'],
    ['a wrong wire type', [frame(Buffer.from([8, 1]))], 'REQUEST_MALFORMED'],
    ['an unknown field', [frame(Buffer.from([...message('good'), 0xf8, 0x7f, 1]))], ''],
  ];

  test.each(plain)('%s', async (_title, body, reason) => {
    for (const headers of [GRPC, { ...GRPC, 'grpc-encoding': 'identity' }]) {
      expect(reasonOf(await willing.call({ path: ISSUE, headers, body }))).toBe(reason);
    }
  });

  test.each([
    ['gzip', GZIP, [frame(gzipped, 1)], ''],
    ['gzip with a message that is not', GZIP, [GOOD], ''],
    ['gzip that cannot be read', GZIP, [frame(message('good'), 1)], 'REQUEST_MALFORMED'],
    ['gzip of more than the limit', GZIP, [frame(gzipSync(sized(LIMIT + 1)), 1)], 'MESSAGE_TOO_LARGE'],
    ['an unknown encoding', { ...GRPC, 'grpc-encoding': 'br' }, [frame(gzipped, 1)], 'REQUEST_MALFORMED'],
    ['an empty encoding', { ...GRPC, 'grpc-encoding': '' }, [GOOD], 'REQUEST_MALFORMED'],
    ['identity in upper case', { ...GRPC, 'grpc-encoding': 'Identity' }, [GOOD], 'REQUEST_MALFORMED'],
  ] as const)('compression: %s', async (_title, headers, body, reason) => {
    expect(reasonOf(await willing.call({ path: ISSUE, headers, body }))).toBe(reason);
  });
});

test('no request of this file was taken for a fault of the service', () => {
  expect(willing.transports.both.map((side) => side.bugs())).toEqual([[], [], []]);
});
