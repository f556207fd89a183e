// H35: gRPC-Web in text mode, as the official client of browsers sends it.

import { Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { createAsyncIterable } from '@connectrpc/connect/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IssueRequestSchema, IssueResponseSchema } from '../../../src/gen/ect/v1/authority_pb.ts';
import { transcodeText } from '../../../src/transport/connect/grpc-web-text.ts';
import { frame, rawHttp1, rawHttp2 } from '../../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../../support/rpc-server.ts';

const TYPE = 'application/grpc-web-text+proto';
let running: TestServer;
beforeAll(async () => {
  running = await startTestServer();
});
afterAll(() => running[Symbol.asyncDispose]());

const message = (execAct: string) => frame(toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct })));
const send = (body: string, type = TYPE, path = '/ect.v1.AuthorityService/Issue') =>
  rawHttp1(running.server.url, { path, headers: { 'content-type': type, 'x-grpc-web': '1' }, body: Buffer.from(body) });

/** The frames behind base64 of which any group may be padded. */
function framesOf(text: string): { readonly flags: number; readonly bytes: Buffer }[] {
  const groups = text.match(/.{4}/gs) ?? [];
  let rest = Buffer.concat(groups.map((group) => Buffer.from(group, 'base64')));
  const frames = [];
  while (rest.length > 0) {
    const length = rest.readUInt32BE(1);
    frames.push({ flags: rest[0]!, bytes: rest.subarray(5, 5 + length) });
    rest = rest.subarray(5 + length);
  }
  return frames;
}

describe('H35 a call in text mode', () => {
  test.each([TYPE, 'application/grpc-web-text', 'Application/gRPC-Web-Text+proto'])(
    '%s is answered in kind',
    async (type) => {
      const answer = await send(message('a').toString('base64'), type);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, type]);
      const [data, trailer] = framesOf(answer.body.toString());
      expect(fromBinary(IssueResponseSchema, data!.bytes).token).toBe('issued for anonymous');
      expect([trailer!.flags, trailer!.bytes.toString()]).toEqual([128, expect.stringContaining('grpc-status: 0')]);
    },
  );

  test('over HTTP/2 as well', async () => {
    const headers = { 'content-type': TYPE };
    const body = Buffer.from(message('a').toString('base64'));
    const answer = await rawHttp2(running.server.url, { path: '/ect.v1.AuthorityService/Issue', headers, body });
    expect(framesOf(answer.body.toString()).length).toBe(2);
  });

  test('padding may end any part of the body', async () => {
    const bytes = message('a long enough act');
    const parts = [bytes.subarray(0, 5), bytes.subarray(5, 9), bytes.subarray(9)];
    const answer = await send(parts.map((part) => part.toString('base64')).join(''));
    expect(framesOf(answer.body.toString())[0]!.flags).toBe(0);
  });

  test.each([
    ['bytes', '\u0000\u0000\u0000'],
    ['base64url', '-___'],
    ['a group that is cut off', 'AAAAAA'],
    ['padding in the middle of a group', 'A=AA'],
    ['too much padding', 'A==='],
    ['padding alone', '===='],
    ['bits that say nothing', 'QR=='],
    ['a line break', 'AAAA\nAAA'],
  ])('%s is no base64', async (_, body) => {
    const answer = await send(body);
    const [trailer] = framesOf(answer.body.toString());
    expect(trailer!.flags).toBe(128);
    expect(trailer!.bytes.toString()).toMatch(new RegExp(`grpc-status: ${Code.InvalidArgument}\\r\\n`));
  });

  test.each([
    ['a digit too many', 'A'],
    ['a line break', '\n'],
    ['garbage', '!!!!'],
    ['a group that is padded twice', '=A=='],
  ])('a whole message with %s behind it is rejected before it is served', async (_, tail) => {
    const before = running.seen.length;
    const answer = await send(message('a').toString('base64') + tail);
    expect(framesOf(answer.body.toString())[0]!.bytes.toString()).toContain(`grpc-status: ${Code.InvalidArgument}`);
    expect(running.seen.length).toBe(before);
    expect(running.calls().at(-1)!['outcome']).not.toBe('ok');
  });

  test('any bytes in any parts are the same in base64 with any padding', async () => {
    for (let length = 0; length < 40; length++) {
      const bytes = message('x'.repeat(length));
      for (const size of [1, 2, 3, 4, 5, 7]) {
        const parts = [];
        for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size).toString('base64'));
        const answer = await send(parts.join(''));
        expect(framesOf(answer.body.toString())[0]!.flags, `${length} ${size}`).toBe(0);
      }
    }
  });

  test('a rejection is text too, also by its headers alone', async () => {
    const rejected = framesOf((await send(message('refuse').toString('base64'))).body.toString()).at(-1)!;
    expect(rejected.bytes.toString()).toContain(`grpc-status: ${Code.InvalidArgument}`);
    const admin = await send('AAAAAAA=', TYPE, '/ect.v1.AdminService/ListKeys');
    expect(framesOf(admin.body.toString())[0]!.bytes.toString()).toContain(`grpc-status: ${Code.PermissionDenied}`);
  });

  test('a body that is too large is rejected by what it unpacks to', async () => {
    const answer = await send(message('a'.repeat(5000)).toString('base64'));
    expect(framesOf(answer.body.toString()).at(-1)!.bytes.toString()).toContain(
      `grpc-status: ${Code.ResourceExhausted}`,
    );
  });

  test('nothing of it is a bug', () => {
    expect(running.lines.filter((line) => line['event'] === 'bug')).toEqual([]);
  });
});

describe('H24 the room for an answer in text mode', () => {
  test.each([0, 1, 2, 3, 100_000])('is that of the text, where the answer has %i bytes', async (bytes) => {
    const reserved: number[] = [];
    const handle = transcodeText((request) => {
      request.reserveAnswer?.(bytes + 30);
      const parts = [Buffer.alloc(bytes), Buffer.alloc(30)];
      const response = {
        status: 200,
        header: new Headers({ 'content-type': 'application/grpc-web' }),
        body: createAsyncIterable(parts),
      };
      return { response: Promise.resolve(response), close: () => undefined };
    });
    const request = {
      httpVersion: '2.0',
      method: 'POST',
      target: '/',
      url: 'http://localhost/',
      header: new Headers({ 'content-type': TYPE }),
      body: createAsyncIterable<Uint8Array>([]),
      socket: new Socket(),
      turn: () => Promise.resolve(),
      caller: { kind: 'anonymous' } as const,
      reserveAnswer: (room: number) => reserved.push(room) > 0,
    };
    const { body } = await handle(request, () => undefined).response;
    let written = 0;
    for await (const part of body as AsyncIterable<Uint8Array>) written += part.length;
    expect(written).toBeGreaterThan(bytes);
    expect(reserved).toEqual([expect.any(Number)]);
    expect(written).toBeLessThanOrEqual(reserved[0] ?? 0);
    expect(reserved[0]).toBeLessThan(written + 32);
  });
});
