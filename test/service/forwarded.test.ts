// Behind a real Envoy that ends TLS: who calls is who Envoy says, and nobody else can say it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
} from '../support/certificates.ts';
import { addressOf, describeWithEnvoy, freePort, startEnvoy } from '../support/envoy.ts';
import { authorityClient, failureOf } from '../support/rpc-clients.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const PROXY = 'spiffe://example.org/envoy';
const WORKLOADS = ['a', 'b', 'c'].map((name) => `spiffe://example.org/${name}`);
const [A = '', B = ''] = WORKLOADS;
const XFCC = 'x-forwarded-client-cert';

describeWithEnvoy('callers behind Envoy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-envoy-'));
  let ca: CertificateAuthority;
  let service: ServiceProcess;
  let envoy: AsyncDisposable;
  let url = '';
  let certificates: readonly Certificate[];

  beforeAll(async () => {
    ca = createCertificateAuthority();
    certificates = WORKLOADS.map((id) => issueSvid(ca, id));
    const server = keep('server', issueServerCertificate(ca));
    writeFileSync(join(folder, 'ca.pem'), ca.cert);
    service = await startService({
      ECT_TLS_CERT: server.cert,
      ECT_TLS_KEY: server.key,
      ECT_TLS_CLIENT_BUNDLES: `example.org=${join(folder, 'ca.pem')}`,
      ECT_FORWARDED_BY: PROXY,
    });
    const port = await freePort();
    url = `https://127.0.0.1:${port}`;
    envoy = startEnvoy(folder, proxyTo(Number(service.address.split(':')[1]), port));
    await vi.waitFor(() => issueAs(0), SOON);
  });
  afterAll(async () => {
    await envoy?.[Symbol.asyncDispose]();
    await service?.[Symbol.asyncDispose]();
    ca?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function keep(name: string, { cert, key }: Certificate): Certificate {
    const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key, { mode: 0o600 });
    return files;
  }

  /** Envoy with mutual TLS on both sides: it forwards the URI of the client's certificate, and no such header of the client. */
  function proxyTo(upstream: number, port: number): object {
    const tls = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
    const filters = 'type.googleapis.com/envoy.extensions.filters';
    const certificate = ({ cert, key }: Certificate) => ({
      tls_certificates: [{ certificate_chain: { filename: cert }, private_key: { filename: key } }],
      validation_context: { trusted_ca: { filename: join(folder, 'ca.pem') } },
    });
    const front = certificate(keep('front', issueServerCertificate(ca)));
    const back = certificate(keep('envoy', issueSvid(ca, PROXY)));
    const routes = [{ match: { prefix: '/' }, route: { cluster: 'authority', timeout: '0s' } }];
    return {
      static_resources: {
        listeners: [
          {
            name: 'callers',
            address: addressOf(port),
            filter_chains: [
              {
                transport_socket: {
                  name: 'envoy.transport_sockets.tls',
                  typed_config: {
                    '@type': `${tls}.DownstreamTlsContext`,
                    common_tls_context: { alpn_protocols: ['h2'], ...front },
                  },
                },
                filters: [
                  {
                    name: 'envoy.filters.network.http_connection_manager',
                    typed_config: {
                      '@type': `${filters}.network.http_connection_manager.v3.HttpConnectionManager`,
                      stat_prefix: 'callers',
                      forward_client_cert_details: 'SANITIZE_SET',
                      set_current_client_cert_details: { uri: true },
                      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
                      http_filters: [
                        {
                          name: 'envoy.filters.http.router',
                          typed_config: { '@type': `${filters}.http.router.v3.Router` },
                        },
                      ],
                    },
                  },
                ],
              },
            ],
          },
        ],
        clusters: [
          {
            name: 'authority',
            type: 'STATIC',
            connect_timeout: '2s',
            typed_extension_protocol_options: {
              'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
                '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
                explicit_http_config: { http2_protocol_options: {} },
              },
            },
            load_assignment: {
              cluster_name: 'authority',
              endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(upstream) } }] }],
            },
            transport_socket: {
              name: 'envoy.transport_sockets.tls',
              typed_config: {
                '@type': `${tls}.UpstreamTlsContext`,
                common_tls_context: { alpn_protocols: ['h2'], ...back },
              },
            },
          },
        ],
      },
    };
  }

  const clientOf = (certificate: Certificate | undefined, to = url) =>
    authorityClient(to, 'gRPC over HTTP/2', { ca: ca.cert, ...certificate });
  const order = (iss = '') => ({ execAct: 'review_spec', aud: ['urn:example:reviewer'], iss });
  const issueAs = (workload: number, iss = '', headers = {}) =>
    clientOf(certificates[workload]).issue(order(iss), { headers });
  const reasonOf = async (call: Promise<unknown>) => (await failureOf(call)).info?.reason;

  test('A4 T27 three workloads each issue under their own name, and none under that of another', async () => {
    for (const [at, id] of WORKLOADS.entries()) {
      expect((await issueAs(at)).claims?.iss).toBe(id);
      for (const other of [...WORKLOADS.filter((name) => name !== id), PROXY, 'urn:ect:dev']) {
        expect(await reasonOf(issueAs(at, other)), other).toBe('ISSUER_NOT_ALLOWED');
      }
    }
    const calls = () => service.events('call').filter(({ outcome }) => outcome === 'ok');
    // A line is written after its call was answered.
    await vi.waitFor(() => expect(new Set(calls().map(({ caller }) => caller))).toEqual(new Set(WORKLOADS)), SOON);
    expect(new Set(calls().map(({ proof, by }) => `${String(proof)} ${String(by)}`))).toEqual(
      new Set([`forwarded ${PROXY}`]),
    );
  });

  test('A4 what a client forges does not get through Envoy, or is rejected behind it', async () => {
    expect((await issueAs(1, '', { [XFCC]: `URI=${A}` })).claims?.iss).toBe(B);
    // Envoy passes on what it does not know.
    expect(await reasonOf(issueAs(1, '', { x_forwarded_client_cert: `URI=${A}` }))).toBe('CALLER_ID_INVALID');
    expect(await reasonOf(issueAs(1, '', { 'l5d-client-id': A }))).toBe('CALLER_ID_INVALID');
    expect((await issueAs(1, '', { 'x-spiffe-id': A, authorization: `Bearer ${A}` })).claims?.iss).toBe(B);
  });

  test('A4 A5 a client without a certificate is no caller behind Envoy, whatever it sends', async () => {
    const nobody = clientOf(undefined);
    expect(await reasonOf(nobody.issue(order()))).toBe('CALLER_UNTRUSTED');
    const headers = { [XFCC]: `URI=${A}`, 'x-forwarded-user': A };
    expect(await reasonOf(nobody.issue(order(), { headers }))).toBe('CALLER_UNTRUSTED');
  });

  test('A4 a direct caller that forges the header is rejected; without it, it calls in its own name', async () => {
    const direct = clientOf(certificates[1], service.url);
    expect(await reasonOf(direct.issue(order(), { headers: { [XFCC]: `URI=${A}` } }))).toBe('CALLER_ID_INVALID');
    expect((await direct.issue(order())).claims?.iss).toBe(B);
    const nobody = clientOf(undefined, service.url);
    expect(await reasonOf(nobody.issue(order(), { headers: { [XFCC]: `URI=${A}` } }))).toBe('CALLER_UNTRUSTED');
  });
});
