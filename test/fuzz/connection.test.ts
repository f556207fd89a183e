// Random sequences of valid and invalid frames on connections of the real service: it stays alive, logs no bug, and serves others.

import { connect } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { FRAME, writeFrame, writeUint32 } from '../../bench/http2-frames.ts';
import { IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import { begin, CONTINUATION, hello, ping, reset, setting, update, whole } from '../http2-server/raw-frames.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { rounds } from '../support/full.ts';
import { fc } from '../support/random.ts';
import { frame } from '../support/rpc-clients.ts';
import { startService } from '../support/service-process.ts';

const RUNS = rounds(400, 100);
const CUT_AFTER_MS = 50;

const types = [
  'application/grpc',
  'application/grpc+json',
  'application/grpc-web',
  'application/json',
  'application/proto',
  'text/plain',
];
const paths = [
  '/ect.v1.AuthorityService/Issue',
  '/ect.v1.AuthorityService/BatchVerify',
  '/ect.v1.LedgerService/ListEntries',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/metrics',
  '/nothing',
];
const block = fc
  .record({
    method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT'),
    path: fc.constantFrom(...paths),
    type: fc.constantFrom(...types),
    more: fc.array(
      fc.tuple(
        fc.constantFrom(
          'grpc-timeout',
          'grpc-encoding',
          'content-encoding',
          'content-length',
          'connect-protocol-version',
          'te',
          'x-y',
          'Bad',
        ),
        fc.oneof(
          fc.constantFrom('1m', 'gzip', 'identity', '5', '1', 'trailers'),
          fc.string({ unit: 'binary-ascii', maxLength: 20 }),
        ),
      ),
      { maxLength: 4 },
    ),
  })
  .map(({ method, path, type, more }) =>
    writeHeaderBlock([
      [':method', method],
      [':scheme', 'http'],
      [':path', path],
      [':authority', '127.0.0.1'],
      ['content-type', type],
      ...more,
    ]),
  );
const issue = toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct: 'review', aud: ['urn:example:b'] }));
const body = fc.oneof(
  fc.constant(frame(issue)),
  fc.constant(Buffer.from('{"execAct":"review","aud":["urn:example:b"]}')),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => frame(bytes)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
);
const id = fc.constantFrom(1, 3, 5, 7, 9, 0, 2);
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(id, block).map(([stream, headers]) => begin(stream, headers)) },
  { weight: 2, arbitrary: fc.tuple(id, block).map(([stream, headers]) => whole(stream, headers)) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(id, body, fc.constantFrom(0, 1, 1, 8))
      .map(([stream, bytes, flags]) => writeFrame(FRAME.data, flags, stream, bytes)),
  },
  { weight: 1, arbitrary: id.map(reset) },
  { weight: 1, arbitrary: fc.tuple(id, fc.nat()).map(([stream, bytes]) => update(stream, bytes)) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(8), fc.nat()).map(([name, value]) => setting(name, value)) },
  { weight: 1, arbitrary: fc.constantFrom(ping(), ping(1)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(id, block, fc.nat(5))
      .map(([stream, headers, flags]) => writeFrame(CONTINUATION, flags, stream, headers)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(255), fc.nat(255), id, fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.nat().map(writeUint32)))
      .map(([type, flags, stream, bytes]) => writeFrame(type, flags, stream, bytes)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
);

/** Sends the pieces, and waits until the service closes the connection, or for a moment. */
function send(port: number, pieces: readonly Buffer[], isGreeted: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.once('close', () => resolve());
  socket.resume();
  socket.once('connect', () => {
    socket.write(Buffer.concat(isGreeted ? [hello(), ...pieces] : pieces));
    setTimeout(() => socket.destroy(), CUT_AFTER_MS);
  });
  return promise;
}

test('H10 H28: whatever frames come, the service lives, logs no bug and answers others', async () => {
  await using service = await startService();
  const port = Number(new URL(service.url).port);
  const sequence = fc.record({ pieces: fc.array(piece, { minLength: 1, maxLength: 25 }), greets: fc.nat(19) });
  await fc.assert(
    fc.asyncProperty(fc.array(sequence, { minLength: 8, maxLength: 8 }), async (sequences) => {
      await Promise.all(sequences.map(({ pieces, greets }) => send(port, pieces, greets > 0)));
      expect(service.stderr()).not.toContain('"event":"bug"');
    }),
    { numRuns: Math.ceil(RUNS / 8) },
  );
  using client = dial(service.address);
  const order = { exec_act: 'review', aud: ['urn:example:b'] };
  expect(await client.call('ect.v1.AuthorityService/Issue', order)).toMatchObject({ token: expect.any(String) });
  expect(service.stderr()).not.toContain('"code":"INTERNAL"');
  expect(await service.stop()).toBe(0);
});
