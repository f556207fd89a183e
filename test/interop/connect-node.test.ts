// Strangers in JavaScript that run many calls at once on one connection: @connectrpc/connect-node and Node's own HTTP/2 client.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WholeResponses } from '../../src/cli/whole-responses.ts';
import { AuthorityService, IssueRequestSchema, IssueResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
} from '../support/certificates.ts';
import { FULL, rounds } from '../support/full.ts';
import { describeWith } from '../support/need.ts';
import { frame, rawStream } from '../support/rpc-clients.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const CALLER = 'spiffe://example.org/a';
const AUDIENCE = 'urn:example:reviewer';
const ORDER = { execAct: 'review_spec', aud: [AUDIENCE] };
/** Calls of one client with so many at once. */
const CALLS = rounds(500, 100);
const AT_ONCE = [16, 100];
/** `npm test` takes the server that is the default; tests in one process have both. */
const HTTP2 = FULL ? ['engine', 'node'] : ['engine'];

type Tls = Certificate & { readonly ca: string };
type Issue = () => Promise<string>;

/** One connection each, by the kind of its calls. */
const CONNECT_NODE: Record<string, (sessionManager: WholeResponses, baseUrl: string) => Transport> = {
  gRPC: (sessionManager, baseUrl) => createGrpcTransport({ baseUrl, sessionManager }),
  'gRPC with compressed requests': (sessionManager, baseUrl) =>
    createGrpcTransport({ baseUrl, sessionManager, sendCompression: compressionGzip, compressMinBytes: 0 }),
  'gRPC-Web': (sessionManager, baseUrl) => createGrpcWebTransport({ baseUrl, sessionManager, httpVersion: '2' }),
  Connect: (sessionManager, baseUrl) => createConnectTransport({ baseUrl, sessionManager, httpVersion: '2' }),
};

describe.each(HTTP2)('HTTP/2 by %s, without TLS', (by) => {
  losesNoResponse(() => ({ settings: { ECT_HTTP2: by }, tls: undefined }));
});

describeWith('openssl', 'over TLS', () => {
  let folder: string;
  let ca: CertificateAuthority;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ect-connect-node-'));
    ca = createCertificateAuthority();
  });
  afterAll(() => {
    ca?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each(HTTP2)('HTTP/2 by %s', (by) => {
    losesNoResponse(() => {
      const server = issueServerCertificate(ca);
      const file = (name: string, content: string) => {
        writeFileSync(join(folder, name), content, { mode: 0o600 });
        return join(folder, name);
      };
      const settings = {
        ECT_HTTP2: by,
        ECT_TLS_CERT: file('server.pem', server.cert),
        ECT_TLS_KEY: file('server.key', server.key),
        ECT_TLS_CLIENT_CA: file('ca.pem', ca.cert),
      };
      return { settings, tls: { ...issueSvid(ca, CALLER), ca: ca.cert } };
    });
  });
});

function losesNoResponse(prepare: () => { settings: Record<string, string>; tls: Tls | undefined }): void {
  let service: ServiceProcess;
  let tls: Tls | undefined;

  beforeAll(async () => {
    const prepared = prepare();
    tls = prepared.tls;
    service = await startService(prepared.settings);
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  test.each(Object.keys(CONNECT_NODE))(
    'connect-node gets the response of each %s call, 16 or 100 at once on one connection',
    async (kind) => {
      const sessions = new WholeResponses(service.url, {}, { ...tls });
      try {
        const client = createClient(AuthorityService, CONNECT_NODE[kind]!(sessions, service.url));
        await expectAllAnswered(async () => (await client.issue(ORDER)).token);
      } finally {
        sessions.abort();
      }
    },
  );

  test("Node's HTTP/2 client gets the response of each call, 16 or 100 at once on one connection", async () => {
    const session = http2.connect(service.url, { ...tls });
    try {
      await once(session, 'connect');
      session.setMaxListeners(0);
      const body = frame(toBinary(IssueRequestSchema, create(IssueRequestSchema, ORDER)));
      const headers = { 'content-type': 'application/grpc', te: 'trailers' };
      await expectAllAnswered(async () => {
        const answer = await rawStream(session, { path: '/ect.v1.AuthorityService/Issue', headers, body });
        if (answer.trailers['grpc-status'] !== '0') throw new Error(`no response: reset ${answer.resetCode}`);
        return fromBinary(IssueResponseSchema, answer.body.subarray(5)).token;
      });
    } finally {
      session.destroy();
    }
  });
}

async function expectAllAnswered(issue: Issue): Promise<void> {
  for (const atOnce of AT_ONCE) {
    const lost: unknown[] = [];
    const tokens = new Set<string>();
    let left = CALLS;
    const callInTurn = async (): Promise<void> => {
      while (left-- > 0)
        await issue().then(
          (token) => tokens.add(token),
          (error: unknown) => lost.push(error),
        );
    };
    await Promise.all(Array.from({ length: atOnce }, callInTurn));
    expect(lost).toEqual([]);
    expect(tokens.size).toBe(CALLS);
  }
}
