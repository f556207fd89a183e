// Peers that break HTTP/2 on purpose, against the whole port: their connection ends, and nobody else notices.

import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test, vi } from 'vitest';
import { FLAG, FRAME, writeFrame } from '../../bench/http2-frames.ts';
import { IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import { begin, CODE, data, end, hello, many, reset, whole } from '../http2-server/raw-frames.ts';
import { openPeer } from '../http2-server/raw-peer.ts';
import { createCertificateAuthority, issueServerCertificate } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { authorityClient, frame, grpcJsClient } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

const SERVICE = 'ect.v1.AuthorityService';

function headersOf(type: string, path = `/${SERVICE}/Issue`): Buffer {
  return writeHeaderBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    ['content-type', type],
    ['te', 'trailers'],
  ]);
}

function issue(execAct: string): Buffer {
  return frame(toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct })));
}

async function expectServed({ server }: TestServer): Promise<void> {
  const { token } = await authorityClient(server.url, 'gRPC over HTTP/2').issue({});
  expect(token).toBe('issued for anonymous');
}

/** Where a stream goes: the engine itself, Node's server behind it, and there also what nobody serves. */
const WAYS = {
  'the unary fast path': headersOf('application/grpc'),
  'the Connect router': headersOf('application/grpc+json'),
  'no method at all': headersOf('application/grpc', '/nobody/serves'),
  'no call at all': headersOf('text/plain', '/'),
  'a page': writeHeaderBlock([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/healthz'],
  ]),
} as const;

test.each(Object.entries(WAYS))('H1: bursts of resets at %s, in every state of a stream', async (_way, head) => {
  await using running = await startTestServer();
  const stages = [
    (id: number) => [begin(id, head), reset(id)],
    (id: number) => [begin(id, head), data(id, issue('hang').subarray(0, 6)), reset(id)],
    (id: number) => [begin(id, head), end(id, issue('hang').toString('latin1')), reset(id)],
    (id: number) => [whole(id, head), reset(id)],
  ];
  for (const stage of stages) {
    using peer = await openPeer(running.server.address, hello());
    for (let id = 1; id < 12_000 && !peer.isClosed(); id += 40) {
      peer.send(...Array.from({ length: 20 }, (_, at) => stage(id + 2 * at)).flat());
      // Now and then it is let to catch up, so that resets meet answers too.
      if (id % 400 === 1) await peer.settledOrClosed();
    }
    expect(await peer.closed()).toBe(CODE.calm);
    await expectServed(running);
  }
  // The other calls are those of expectServed: a request whose reset has come with it never reaches its procedure.
  if (head === WAYS['the unary fast path']) expect(running.seen).toHaveLength(stages.length);
  expect(running.lines.filter(({ event }) => event === 'bug')).toEqual([]);
});

test.each(Object.entries(WAYS))(
  'H8: connections that are cut in the middle of everything at %s',
  async (_way, head) => {
    await using running = await startTestServer();
    for (let round = 0; round < 60; round++) {
      using peer = await openPeer(running.server.address, hello());
      const id = (at: number) => 2 * at + 1;
      peer.send(many(30, (at) => Buffer.concat([begin(id(at), head), end(id(at), issue('wait').toString('latin1'))])));
      if (round % 3 === 0) await peer.settled();
      if (round % 2 === 0) peer.socket.resetAndDestroy();
      else peer.socket.destroy();
    }
    await expectServed(running);
    await vi.waitFor(() => expect(running.seen.slice(0, -1).every(({ signal }) => signal.aborted)).toBe(true), SOON);
    expect(running.lines.filter(({ event }) => event === 'bug')).toEqual([]);
  },
);

test('H14: a client that cancels hundreds of calls at once goes on calling on the same connection', async () => {
  await using running = await startTestServer();
  const client = grpcJsClient(`127.0.0.1:${running.server.address.port}`, SERVICE);
  const call = (execAct: string) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const made = client['Issue']!({ exec_act: execAct }, {}, (error) => resolve(error?.code ?? 0));
    return { promise, cancel: () => made.cancel() };
  };
  for (let round = 0; round < 6; round++) {
    const before = running.seen.length;
    const calls = Array.from({ length: 100 }, () => call('hang'));
    await vi.waitFor(() => expect(running.seen).toHaveLength(before + 100), SOON);
    for (const { cancel } of calls) cancel();
    expect(new Set(await Promise.all(calls.map(({ promise }) => promise)))).toEqual(new Set([1]));
    expect(await call('').promise).toBe(0);
  }
  client.close();
  expect(running.lines.filter(({ event }) => event === 'connection-failed')).toEqual([]);
});

describeWith('openssl', 'over TLS', () => {
  test('H3: connections that are cut in the middle of their headers leave nothing behind', async () => {
    using authority = createCertificateAuthority();
    await using running = await startTestServer({ tls: issueServerCertificate(authority) });
    const { port } = running.server.address;
    const head = WAYS['the unary fast path'];
    for (let round = 0; round < 40; round++) {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        ca: authority.cert,
        ALPNProtocols: ['h2'],
        servername: 'localhost',
      });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      expect(socket.alpnProtocol).toBe('h2');
      socket.write(hello());
      socket.write(writeFrame(FRAME.headers, 0, 1, head.subarray(0, 4)));
      if (round % 2 === 0) socket.write(writeFrame(9, round % 4 === 0 ? FLAG.endHeaders : 0, 1, head.subarray(4)));
      socket.destroy();
      await once(socket, 'close');
    }
    const { token } = await authorityClient(running.server.url, 'gRPC over HTTP/2', { ca: authority.cert }).issue({});
    expect(token).toBe('issued for anonymous');
    expect(running.lines.filter(({ event }) => event === 'bug')).toEqual([]);
  });
});
