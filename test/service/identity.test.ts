// Who is calling, proven by certificates that openssl made, to the real process over TLS.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { status as codes, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
} from '../support/certificates.ts';
import { FULL } from '../support/full.ts';
import { describeWith } from '../support/need.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const A = 'spiffe://example.org/a';
const B = 'spiffe://example.org/b';

interface Answer {
  readonly iss: string;
  readonly token: string;
}

interface Rejected {
  /** The gRPC code by name. */
  readonly code: string;
  readonly reason: string | undefined;
}

/** Asks for a token as the holder of `certificate`, over one kind of connection. */
type Issue = (certificate: Certificate | undefined, iss?: string) => Promise<Answer | Rejected>;

/** `npm test` takes the server that is the default; tests in one process have both. */
const HTTP2 = FULL ? ['engine', 'node'] : ['engine'];

describeWith('openssl', 'callers with certificates', () => {
  describe.each(HTTP2)('HTTP/2 by %s', callersWithCertificates);
});

function callersWithCertificates(http2: string): void {
  let folder: string;
  let ca: CertificateAuthority;
  let otherCa: CertificateAuthority;
  let service: ServiceProcess;
  let a: Certificate;
  let b: Certificate;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ect-identity-'));
    ca = createCertificateAuthority();
    otherCa = createCertificateAuthority('another CA');
    a = issueSvid(ca, A);
    b = issueSvid(ca, B);
    const server = issueServerCertificate(ca);
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    service = await startService({
      ECT_TLS_CERT: file('server.pem', server.cert),
      ECT_TLS_KEY: file('server.key', server.key),
      ECT_TLS_CLIENT_CA: file('ca.pem', ca.cert),
      ECT_HTTP2: http2,
    });
  });

  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    ca?.[Symbol.dispose]();
    otherCa?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function grpcClient(certificate: Certificate | undefined) {
    const own = certificate && { key: Buffer.from(certificate.key), chain: Buffer.from(certificate.cert) };
    // By name: grpc-js would put an address into SNI, where only names may be.
    const address = `localhost:${new URL(service.url).port}`;
    return dial(address, credentials.createSsl(Buffer.from(ca.cert), own?.key ?? null, own?.chain ?? null));
  }

  const overGrpc: Issue = async (certificate, iss = '') => {
    using client = grpcClient(certificate);
    try {
      const request = { exec_act: 'review_spec', aud: [A, B], iss };
      const answer = await client.call<{ token: string; claims: { iss: string } }>(
        'ect.v1.AuthorityService/Issue',
        request,
      );
      return { iss: answer.claims.iss, token: answer.token };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      return { code: codes[error.code] ?? '', reason: error.info?.reason };
    }
  };

  const overConnect: Issue = async (certificate, iss = '') => {
    const nodeOptions = { ca: ca.cert, ...certificate };
    const transport = createConnectTransport({ baseUrl: service.url, httpVersion: '1.1', nodeOptions });
    try {
      const answer = await createClient(AuthorityService, transport).issue({
        execAct: 'review_spec',
        aud: [A, B],
        iss,
      });
      return { iss: answer.claims?.iss ?? '', token: answer.token };
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      const code = Code[error.code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
      return { code, reason: error.findDetails(ErrorInfoSchema)[0]?.reason };
    }
  };

  describe.each([
    ['gRPC', overGrpc],
    ['Connect over HTTP/1.1', overConnect],
  ])('over %s', (_, issue) => {
    test('each of two workloads issues under its own identity without asking', async () => {
      expect(await issue(a)).toMatchObject({ iss: A });
      expect(await issue(b)).toMatchObject({ iss: B });
      expect(await issue(a, A)).toMatchObject({ iss: A });
    });

    test('T27 neither issues under the identity of the other, of a part of its own, or of the service', async () => {
      const rejected = { code: 'PERMISSION_DENIED', reason: 'ISSUER_NOT_ALLOWED' };
      expect(await issue(a, B)).toEqual(rejected);
      expect(await issue(b, A)).toEqual(rejected);
      expect(await issue(a, `${A}/child`)).toEqual(rejected);
      expect(await issue(a, 'spiffe://example.org')).toEqual(rejected);
      expect(await issue(a, 'urn:ect:dev')).toEqual(rejected);
    });

    test('without a certificate the caller is not trusted', async () => {
      expect(await issue(undefined)).toEqual({ code: 'UNAUTHENTICATED', reason: 'CALLER_UNTRUSTED' });
    });

    test('a certificate of another CA is not trusted, whatever it says', async () => {
      const rejected = { code: 'UNAUTHENTICATED', reason: 'CALLER_UNTRUSTED' };
      expect(await issue(issueSvid(otherCa, A))).toEqual(rejected);
    });

    test('a certificate that has ended is not trusted', async () => {
      const ended = ca.issue({ names: [{ uri: A }], days: -1 });
      expect(await issue(ended)).toEqual({ code: 'UNAUTHENTICATED', reason: 'CALLER_UNTRUSTED' });
    });

    test.each([
      ['two URI names', [{ uri: A }, { uri: B }]],
      ['no URI name', [{ dns: 'a.example.org' }]],
      ['a URI that is no SPIFFE ID', [{ uri: 'https://example.org/a' }]],
    ])('a certificate with %s names nobody', async (_name, names) => {
      const rejected = { code: 'UNAUTHENTICATED', reason: 'CALLER_ID_INVALID' };
      expect(await issue(ca.issue({ names }))).toEqual(rejected);
    });
  });

  test('a token of one workload verifies for the other, under the issuer that the certificate proved', async () => {
    const issued = (await overGrpc(a)) as Answer;
    using client = grpcClient(b);
    const verdict = await client.call('ect.v1.AuthorityService/Verify', { token: issued.token });
    expect(verdict).toMatchObject({ valid: true, claims: { iss: A } });
    const recorded = await client.call('ect.v1.AuthorityService/AppendLedger', { token: issued.token });
    expect(recorded).toMatchObject({ entry: { task: { iss: A } } });
  });

  test('health, the key set and the pages answer without a certificate; the ledger does not', async () => {
    using client = grpcClient(undefined);
    expect(await client.call('grpc.health.v1.Health/Check', {})).toEqual({ status: 'SERVING' });
    expect(await client.call('ect.v1.KeyService/GetKeySet', {})).toMatchObject({ keys: [{ alg: 'ES256' }] });
    const rejected = client.call('ect.v1.LedgerService/GetCheckpoint', {});
    await expect(rejected).rejects.toMatchObject({ reason: 'CALLER_UNTRUSTED', code: codes.UNAUTHENTICATED });

    for (const path of ['/.well-known/jwks.json', '/healthz', '/readyz']) {
      const [response] = (await once(get(`${service.url}${path}`, { ca: ca.cert }), 'response')) as [IncomingMessage];
      expect(response.statusCode).toBe(200);
      expect(await json(response)).toBeTypeOf('object');
    }
  });

  test('a client that does not speak TLS gets nothing', async () => {
    using client = dial(service.address);
    const call = client.call('grpc.health.v1.Health/Check', {}, { deadline: Date.now() + 60_000 });
    await expect(call).rejects.toMatchObject({ code: codes.UNAVAILABLE });
  });

  test('the log names the proven caller of each call', () => {
    const callers = new Set(service.events('call').map(({ caller }) => caller));
    expect(callers).toEqual(new Set([A, B, 'anonymous']));
  });
}
