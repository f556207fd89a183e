// A4, A5: forwarded identities over every transport, with real connections: each has its own way to its headers.

import { connect } from 'node:http2';
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCallers } from '../../src/callers/callers.ts';
import { ClientCas } from '../../src/callers/client-cas.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
} from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { authorityClient, failureOf, PROTOCOLS, rawStream } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';

const PROXY = 'spiffe://example.com/envoy';
const A = 'spiffe://example.com/a';
const B = 'spiffe://example.com/b';
const XFCC = 'x-forwarded-client-cert';
const METHOD = '/ect.v1.AuthorityService/Issue';

describeWith('openssl', 'an identity that a proxy forwards', () => {
  describe.each(['engine', 'node'] as const)('HTTP/2 by %s', forwardedIdentities);
});

function forwardedIdentities(http2: 'engine' | 'node'): void {
  let ca: CertificateAuthority;
  let running: TestServer;
  let proxy: Certificate;
  let direct: Certificate;

  beforeAll(async () => {
    ca = createCertificateAuthority();
    proxy = issueSvid(ca, PROXY);
    direct = issueSvid(ca, B);
    const cas = new ClientCas(ca.cert);
    const forwarded = { proxies: [PROXY], header: XFCC } as const;
    running = await startTestServer({
      tls: { ...issueServerCertificate(ca), clientCa: ca.cert },
      http2,
      ...createCallers({ cas, nowMs: Date.now, forwarded }),
      onAccepted: (socket) => cas.accept(socket),
    });
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    ca[Symbol.dispose]();
  });

  const issue = (protocol: string, certificate: Certificate, headers: Headers) =>
    authorityClient(running.server.url, protocol, { ca: ca.cert, ...certificate }).issue({}, { headers });
  const reasonOf = async (call: Promise<unknown>) => (await failureOf(call)).info?.reason;
  const headersOf = (...fields: readonly (readonly [string, string])[]) => new Headers(fields as [string, string][]);

  describe.each(PROTOCOLS)('over %s', (protocol) => {
    test('A4 names the caller', async () => {
      expect((await issue(protocol, proxy, headersOf([XFCC, `URI=${A}`]))).token).toBe(`issued for ${A}`);
      expect(running.calls().at(-1)).toMatchObject({ caller: A, proof: 'forwarded', by: PROXY });
    });

    test('A4 is rejected from a direct caller, and in every other form', async () => {
      const forged = headersOf([XFCC, `URI=${A}`]);
      expect(await reasonOf(issue(protocol, direct, forged))).toBe('CALLER_ID_INVALID');
      const twice = headersOf([XFCC, `URI=${A}`], [XFCC, `URI=${A}`]);
      expect(await reasonOf(issue(protocol, proxy, twice))).toBe('CALLER_ID_INVALID');
      const underscores = headersOf(['x_forwarded_client_cert', `URI=${A}`]);
      expect(await reasonOf(issue(protocol, proxy, underscores))).toBe('CALLER_ID_INVALID');
      expect(await reasonOf(issue(protocol, proxy, headersOf()))).toBe('CALLER_UNTRUSTED');
    });

    test('A5 other headers name no caller', async () => {
      const others = headersOf(['x-spiffe-id', A], ['x-forwarded-user', A], ['authorization', 'Bearer eyJ']);
      expect((await issue(protocol, direct, others)).token).toBe(`issued for ${B}`);
      expect(await reasonOf(issue(protocol, proxy, others))).toBe('CALLER_UNTRUSTED');
    });
  });

  /** What Connect over HTTP/1.1 answers to these header lines, as they are. */
  const overHttp1 = (lines: readonly string[], certificate = proxy): Promise<string> =>
    new Promise((resolve, reject) => {
      const { port } = running.server.address;
      const options = { host: '127.0.0.1', port, path: METHOD, method: 'POST', agent: false, ca: ca.cert };
      const headers = ['Host', `127.0.0.1:${port}`, 'Content-Type', 'application/json', ...lines];
      const outgoing = request({ ...options, ...certificate, headers, setHost: false } as object, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve(text));
      });
      outgoing.on('error', reject);
      outgoing.end('{}');
    });

  test('A4 two lines of HTTP/2 are two headers', async () => {
    const session = connect(running.server.url, { ca: ca.cert, ...proxy });
    try {
      const ask = async (values: string | string[]) => {
        const headers = { 'content-type': 'application/json', [XFCC]: values };
        return (await rawStream(session, { path: METHOD, headers, body: Buffer.from('{}') })).body.toString();
      };
      expect(await ask(`URI=${A}`)).toContain(`issued for ${A}`);
      expect(await ask([`URI=${A}`, `URI=${A}`])).toContain('CALLER_ID_INVALID');
    } finally {
      session.destroy();
    }
  });

  test('A4 two lines of HTTP/1.1 are two headers, in whatever letters', async () => {
    expect(await overHttp1(['X-Forwarded-Client-Cert', `URI=${A}`])).toContain(`issued for ${A}`);
    const twice = ['X-Forwarded-Client-Cert', `URI=${A}`, 'x-forwarded-client-cert', `URI=${A}`];
    expect(await overHttp1(twice)).toContain('CALLER_ID_INVALID');
    expect(await overHttp1(['X_Forwarded_Client_Cert', `URI=${A}`])).toContain('CALLER_ID_INVALID');
    expect(await overHttp1(['X-FORWARDED-CLIENT-CERT', `URI=${A}`], direct)).toContain('CALLER_ID_INVALID');
  });
}
