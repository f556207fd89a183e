// Bodies of random sizes arrive in random pieces, over every transport, many at once: each call gets its own bytes, all of them. The
// memory of what was read is released at once, so a mistake would empty a request, or mix it with that of another caller.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request as request1 } from 'node:http';
import { type ClientHttp2Session, connect as connect2 } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { create, fromBinary, fromJsonString, toBinary, toJsonString } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { Service } from '../../src/calls/call.ts';
import {
  AuthorityService,
  type BatchIssueRequest,
  BatchIssueRequestSchema,
  BatchIssueResponseSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { createCertificateAuthority, issueServerCertificate } from '../support/certificates.ts';
import { randomNumbers, SEED } from '../support/random.ts';
import { startTestServer } from '../support/rpc-server.ts';

const MIB = 1024 * 1024;
const AT_ONCE = 6;
const ROUNDS = 8;
const PREFIX_BYTES = 5;
const PATH = '/ect.v1.AuthorityService/BatchIssue';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

const nothing = () => ({});

/** Answers each item with the digest of its text. */
const DIGESTS: Service<typeof AuthorityService> = {
  descriptor: AuthorityService,
  access: 'callers',
  maxRequestBytes: { '*': 4 * MIB },
  procedures: {
    batchIssue: ({ items }) => ({
      results: items.map(({ reference, request }) => ({
        reference,
        result: { case: 'response', value: { token: digest(request?.execAct ?? '') } },
      })),
    }),
    getAuthority: nothing,
    issue: nothing,
    verify: nothing,
    batchVerify: nothing,
    validateDAG: nothing,
    appendLedger: nothing,
    batchAppendLedger: nothing,
  },
};

interface Form {
  readonly type: string;
  readonly codec: 'json' | 'proto';
  readonly isFramed: boolean;
  readonly isCompressed: boolean;
}

const FORMS: readonly Form[] = (['json', 'proto'] as const).flatMap((codec) =>
  [false, true].flatMap((isCompressed) => [
    { type: `application/${codec}`, codec, isFramed: false, isCompressed },
    { type: `application/grpc-web+${codec}`, codec, isFramed: true, isCompressed },
  ]),
);

type Random = () => number;

/** A message of some size, and what its response is. */
function randomMessage(random: Random, nth: number) {
  const sizes = [200, 9_000, 20_000, 70_000, 300_000, 1_500_000];
  const bytes = Math.ceil(sizes[Math.floor(random() * sizes.length)]! * (0.5 + random() / 2));
  const count = 1 + Math.floor(random() * 20);
  const items = Array.from({ length: count }, (_, at) => {
    const unit = String.fromCharCode(97 + Math.floor(random() * 26), 0xe9, 97 + Math.floor(random() * 26));
    const start = `${nth}.${at} ${random()} `;
    return { reference: `${nth}.${at}`, request: { execAct: start + unit.repeat(Math.ceil(bytes / count / 4)) } };
  });
  const expected = items.map(({ reference, request }) => `${reference} ${digest(request.execAct)}`);
  return { message: create(BatchIssueRequestSchema, { items }), expected };
}

function bodyOf(message: BatchIssueRequest, { codec, isFramed, isCompressed }: Form): Buffer {
  const plain =
    codec === 'json'
      ? Buffer.from(toJsonString(BatchIssueRequestSchema, message))
      : toBinary(BatchIssueRequestSchema, message);
  const content = isCompressed ? gzipSync(plain, { level: 0 }) : Buffer.from(plain);
  if (!isFramed) return content;
  const prefix = Buffer.from([isCompressed ? 1 : 0, 0, 0, 0, 0]);
  prefix.writeUInt32BE(content.length, 1);
  return Buffer.concat([prefix, content]);
}

function resultsIn(body: Buffer, { codec, isFramed }: Form): readonly string[] {
  const content = isFramed ? body.subarray(PREFIX_BYTES, PREFIX_BYTES + body.readUInt32BE(1)) : body;
  const { results } =
    codec === 'json'
      ? fromJsonString(BatchIssueResponseSchema, content.toString())
      : fromBinary(BatchIssueResponseSchema, content);
  return results.map(({ reference, result }) => `${reference} ${(result.value as { token?: string }).token}`);
}

function headersOf({ type, isFramed, isCompressed }: Form): Record<string, string> {
  const encoding = isFramed ? 'grpc-encoding' : 'content-encoding';
  return { 'content-type': type, ...(isCompressed ? { [encoding]: 'gzip' } : {}) };
}

/** Writes a body in random parts, some of them in later turns. */
async function writeInParts(out: Duplex | ReturnType<typeof request1>, body: Buffer, random: Random): Promise<void> {
  for (let at = 0; at < body.length; ) {
    const part = body.subarray(at, at + 1 + Math.floor(random() ** 3 * 200_000));
    at += part.length;
    if (!out.write(part)) await once(out, 'drain');
    if (random() < 0.3) await new Promise(setImmediate);
  }
  out.end();
}

/** Passes bytes on to the port, cut at random. */
async function openCutter(port: number, random: Random) {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (from) => {
    const to = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    for (const one of [from, to]) sockets.add(one.on('error', () => undefined).on('close', () => sockets.delete(one)));
    to.pipe(from);
    void (async () => {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; ) {
          const piece = chunk.subarray(at, at + 1 + Math.floor(random() ** 4 * 70_000));
          at += piece.length;
          if (!to.write(piece)) await once(to, 'drain');
          if (random() < 0.1) await new Promise(setImmediate);
        }
      }
      to.end();
    })().catch(() => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A connection to the port; over TLS with records of a random size. */
function openSocket(port: number, ca: string | undefined, protocol: string, random: Random): Duplex {
  if (ca === undefined) return connect(port, '127.0.0.1');
  const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: [protocol] });
  socket.setMaxSendFragment(512 + Math.floor(random() * 15_000));
  return socket;
}

type Call = (form: Form, body: Buffer) => Promise<Buffer>;

function overHttp1(port: number, ca: string | undefined, random: Random): { call: Call; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 3 });
  agent.createConnection = () => openSocket(port, ca, 'http/1.1', random);
  const call: Call = async (form, body) => {
    // With a known length, or in chunks.
    const length = random() < 0.5 ? { 'content-length': String(body.length) } : {};
    const options = { agent, method: 'POST', path: PATH, headers: { ...headersOf(form), ...length } };
    const request = request1(options);
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    const [[response]] = await Promise.all([answered, writeInParts(request, body, random)]);
    return buffer(response);
  };
  return { call, close: () => agent.destroy() };
}

function overHttp2(port: number, ca: string | undefined, random: Random): { call: Call; close(): void } {
  const open = () =>
    connect2(`http://127.0.0.1:${port}`, { createConnection: () => openSocket(port, ca, 'h2', random) });
  const sessions: readonly ClientHttp2Session[] = [open(), open()];
  const call: Call = async (form, body) => {
    const session = sessions[Math.floor(random() * sessions.length)]!;
    const stream = session.request({ ':method': 'POST', ':path': PATH, ...headersOf(form) });
    const [answer] = await Promise.all([buffer(stream), writeInParts(stream, body, random)]);
    return answer;
  };
  return {
    call,
    close: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

describe.each([
  ['HTTP/1.1', false, overHttp1],
  ['HTTP/2', false, overHttp2],
  ['HTTP/1.1 over TLS', true, overHttp1],
  ['HTTP/2 over TLS', true, overHttp2],
])('H24: over %s', (_, isEncrypted, transport) => {
  test('each of many calls gets all of its own bytes, however they are cut', async () => {
    using authority = createCertificateAuthority();
    const tls = isEncrypted ? { tls: issueServerCertificate(authority) } : {};
    await using running = await startTestServer({ ...tls, services: [DIGESTS] });
    const random = randomNumbers(SEED);
    using cutter = await openCutter(running.server.address.port, random);
    const { call, close } = transport(cutter.port, isEncrypted ? authority.cert : undefined, random);
    for (let round = 0; round < ROUNDS; round++) {
      const calls = Array.from({ length: AT_ONCE }, async (_, nth) => {
        const form = FORMS[(round * AT_ONCE + nth) % FORMS.length]!;
        const { message, expected } = randomMessage(random, round * AT_ONCE + nth);
        const answer = await call(form, bodyOf(message, form));
        expect(resultsIn(answer, form), form.type).toEqual(expected);
      });
      await Promise.all(calls);
    }
    close();
  });
});
