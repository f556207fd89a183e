// A1, A7, A8: the service takes its certificate and the CAs of its callers from an agent, and changes them while it serves.

import { createSign, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueSvid,
} from '../support/certificates.ts';
import { FULL } from '../support/full.ts';
import { describeWith } from '../support/need.ts';
import { authorityClient, failureOf } from '../support/rpc-clients.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { derOf, sentSvid, WorkloadAgent } from '../support/workload-agent.ts';

const ECT = 'spiffe://example.org/ect';
const ORG = 'spiffe://example.org/agent';
const PARTNER = 'spiffe://partner.example/agent';
const order = { execAct: 'review_spec', aud: ['urn:example:reviewer'] };

describeWith('openssl', 'a service with a SPIFFE Workload API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-workload-'));
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const agent = new WorkloadAgent();
  let org: CertificateAuthority;
  let partner: CertificateAuthority;
  let next: CertificateAuthority;
  let service: ServiceProcess;

  /** An SVID of the service that clients of these tests know by its address too. */
  const svidBy = (ca: CertificateAuthority, ...known: readonly CertificateAuthority[]) => {
    const certificate = ca.issue({ names: [{ uri: ECT }, { ip: '127.0.0.1' }] });
    return sentSvid(ECT, certificate, { cert: [ca, ...known].map(({ cert }) => cert).join('') });
  };
  const withPartner = () => ({ 'spiffe://partner.example': derOf(partner.cert) });
  const clientOf = (certificate: Certificate | object, ca = org) =>
    authorityClient(service.url, 'gRPC over HTTP/2', { ca: ca.cert, ...certificate });
  const issuerOf = async (certificate: Certificate, ca = org) =>
    (await clientOf(certificate, ca).issue(order)).claims?.iss;
  const reasonOf = async (certificate: Certificate) =>
    (await failureOf(clientOf(certificate).issue(order))).info?.reason;

  beforeAll(async () => {
    org = createCertificateAuthority('org CA');
    partner = createCertificateAuthority('partner CA');
    next = createCertificateAuthority('next org CA');
    await agent.start();
    agent.x509.send({ svids: [svidBy(org)], federatedBundles: withPartner() });
    const issuers = [{ iss: 'spiffe://example.org', workload_api: true, use: ['callers'], callers: { audience: ECT } }];
    writeFileSync(join(folder, 'trust.json'), JSON.stringify({ issuers }));
    const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'one' };
    agent.jwt.send({ bundles: { 'spiffe://example.org': Buffer.from(JSON.stringify({ keys: [jwk] })) } });
    service = await startService({
      ECT_WORKLOAD_API: 'env',
      SPIFFE_ENDPOINT_SOCKET: agent.address,
      ECT_TRUST_FILE: join(folder, 'trust.json'),
      ECT_CALLER_JWTS: 'yes',
    });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await agent[Symbol.asyncDispose]();
    for (const ca of [org, partner, next]) ca?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const lastInForce = () => service.events('svid-in-force').at(-1);

  test('A1 A8 it proves callers of its own and of a federated trust domain, each by the CAs of its own', async () => {
    const inForce = { spiffeId: ECT, trustDomains: ['example.org', 'partner.example'] };
    await vi.waitFor(() => expect(lastInForce()).toMatchObject(inForce), SOON);
    expect(await issuerOf(issueSvid(org, ORG))).toBe(ORG);
    expect(await issuerOf(issueSvid(partner, PARTNER))).toBe(PARTNER);
    expect(await reasonOf(issueSvid(org, PARTNER))).toBe('CALLER_UNTRUSTED');
    expect(await reasonOf(issueSvid(next, ORG))).toBe('CALLER_UNTRUSTED');
  });

  test('A7 rotation under load: an open connection continues, new handshakes see the new SVID and the new CA', async () => {
    // grpc-js: Node's own client drops an answer that is there before anybody has asked for it, which a busy machine brings about.
    const { key, cert } = issueSvid(org, ORG);
    const pem = [org.cert, key, cert].map((text) => Buffer.from(text));
    using open = dial(service.address, credentials.createSsl(pem[0], pem[1], pem[2]));
    const issueOnOpen = () => open.call('ect.v1.AuthorityService/Issue', { exec_act: order.execAct, aud: order.aud });
    // Made before: openssl would keep the clients of this process waiting in the middle of their calls.
    const svids = Array.from({ length: 5 }, () => svidBy(org, next));
    const [last, ofNext, ofOrg] = [svidBy(next, org), issueSvid(next, ORG), issueSvid(org, ORG)];
    await issueOnOpen();
    const failures = new Set<string>();
    let calls = 0;
    const until = new AbortController();
    const load = Array.from({ length: 4 }, async () => {
      while (!until.signal.aborted) {
        await issueOnOpen().catch((error: unknown) => failures.add(String(error)));
        calls++;
      }
    });
    const before = service.events('svid-in-force').length;
    for (const [at, svid] of svids.entries()) {
      agent.x509.send({ svids: [svid], federatedBundles: withPartner() });
      await vi.waitFor(() => expect(service.events('svid-in-force').length).toBe(before + at + 1), SOON);
    }
    agent.x509.send({ svids: [last], federatedBundles: withPartner() });
    await vi.waitFor(() => expect(service.events('svid-in-force').length).toBe(before + 6), SOON);
    expect(await issuerOf(ofNext, next)).toBe(ORG);
    expect(await issuerOf(ofOrg, next)).toBe(ORG);
    const soFar = calls;
    await vi.waitFor(() => expect(calls).toBeGreaterThan(soFar + 20), SOON);
    until.abort();
    await Promise.all(load);
    expect([...failures]).toEqual([]);
    agent.x509.send({ svids: [svidBy(org)], federatedBundles: withPartner() });
    await vi.waitFor(() => expect(service.events('svid-in-force').length).toBe(before + 7), SOON);
    expect(await reasonOf(issueSvid(next, ORG))).toBe('CALLER_UNTRUSTED');
  });

  test('A8 a federated bundle that the agent takes away ends what its workloads may, on open connections too', async () => {
    const open = clientOf(issueSvid(partner, PARTNER));
    await open.issue(order);
    agent.x509.send({ svids: [svidBy(org)] });
    await vi.waitFor(() => expect(lastInForce()).toMatchObject({ trustDomains: ['example.org'] }), SOON);
    expect((await failureOf(open.issue(order))).info?.reason).toBe('CALLER_UNTRUSTED');
    expect(await reasonOf(issueSvid(partner, PARTNER))).toBe('CALLER_UNTRUSTED');
    agent.x509.send({ svids: [svidBy(org)], federatedBundles: withPartner() });
    await vi.waitFor(() => expect(lastInForce()).toMatchObject({ trustDomains: { length: 2 } }), SOON);
    expect(await issuerOf(issueSvid(partner, PARTNER))).toBe(PARTNER);
  });

  test('A7 an agent that is killed takes nothing along, and is found again when it is back', async () => {
    agent.stop();
    await vi.waitFor(() => expect(service.events('workload-api-down').length).toBeGreaterThan(0), SOON);
    expect(await issuerOf(issueSvid(org, ORG))).toBe(ORG);
    await vi.waitFor(async () => expect(await metrics()).toContain('ect_workload_api_up{stream="x509"} 0'), SOON);
    await agent.start();
    await vi.waitFor(async () => expect(await metrics()).toContain('ect_workload_api_up{stream="x509"} 1'), SOON);
    expect(await metrics()).toMatch(/ect_certificate_expiry_timestamp_seconds\{certificate="server"\} \d{10}/);
  });

  test('A1 a JWT-SVID proves its caller by the keys that the agent names', async () => {
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${part({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${part({ sub: ORG, aud: [ECT], iat: now, exp: now + 300 })}`;
    const signature = createSign('sha256').update(input).sign({ key: keys.privateKey, dsaEncoding: 'ieee-p1363' });
    const headers = { authorization: `Bearer ${input}.${signature.toString('base64url')}` };
    const { claims } = await clientOf({}).issue(order, { headers });
    expect(claims?.iss).toBe(ORG);
    agent.jwt.send({ bundles: {} });
    await vi.waitFor(
      async () =>
        expect((await failureOf(clientOf({}).issue(order, { headers }))).info?.reason).toBe('ISSUER_KEYS_UNAVAILABLE'),
      SOON,
    );
  });

  // The half minute for which an agent may report no identity.
  test.runIf(FULL)(
    'A1 without an identity it makes no handshake and serves no caller; with the next one it does',
    async () => {
      const open = clientOf(issueSvid(org, ORG));
      await open.issue(order);
      agent.x509.reject(7);
      await vi.waitFor(() => expect(service.events('svid-lost').length).toBe(1), { ...SOON, timeout: 90_000 });
      expect((await failureOf(open.issue(order))).info?.reason).toBe('CALLER_UNTRUSTED');
      await expect(clientOf(issueSvid(org, ORG)).issue(order)).rejects.toThrow(
        /handshake|alert|SSL|EPROTO|ECONNRESET/i,
      );
      agent.x509.send({ svids: [svidBy(org)] });
      await vi.waitFor(async () => expect(await issuerOf(issueSvid(org, ORG))).toBe(ORG), { ...SOON, timeout: 60_000 });
    },
    200_000,
  );

  async function metrics(): Promise<string> {
    const { request } = await import('node:https');
    return new Promise((resolve, reject) => {
      request(`${service.url}/metrics`, { ca: org.cert, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
  }
});

describeWith('openssl', 'a start with a SPIFFE Workload API', () => {
  test('A1 fails in time where the agent has no identity for it, and says how to make one', async () => {
    await using agent = new WorkloadAgent();
    await agent.start();
    agent.x509.reject(7);
    const { code, stderr } = await runMain(['serve'], { ECT_WORKLOAD_API: agent.address, ECT_STORE: 'memory' });
    expect(code).toBe(1);
    expect(stderr).toContain(agent.address);
    expect(stderr).toContain('make a registration entry');
  });

  test('A1 a check says what is at the address, and calls nobody', async () => {
    const settings = { ECT_STORE: 'memory' };
    const missing = await runMain(['config', 'check'], { ...settings, ECT_WORKLOAD_API: 'unix:///nowhere/agent.sock' });
    expect(missing).toMatchObject({ code: 0, stderr: expect.stringContaining('/nowhere') });
    const file = await runMain(['config', 'check'], {
      ...settings,
      ECT_WORKLOAD_API: `unix://${import.meta.filename}`,
    });
    expect(file.stderr).toContain('is not the path of a socket');
  });

  test('A1 rejects TLS files beside the Workload API', async () => {
    const { code, stderr } = await runMain(['serve'], {
      ECT_WORKLOAD_API: 'unix:///run/agent.sock',
      ECT_TLS_CERT: '/tls/server.pem',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('ECT_TLS_CERT contradicts ECT_WORKLOAD_API');
  });
});
