// A7, A8: CAs of several trust domains that change under a running service.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
import { describeWith } from '../support/need.ts';
import { authorityClient, failureOf } from '../support/rpc-clients.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const ORG = 'spiffe://example.org/agent';
const PARTNER = 'spiffe://partner.example/agent';

describeWith('openssl', 'bundles of two trust domains', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-bundles-'));
  let org: CertificateAuthority;
  let partner: CertificateAuthority;
  let next: CertificateAuthority;
  let service: ServiceProcess;

  /** Puts a file in place as a whole, as programs that renew certificates do. */
  function keep(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    return path;
  }

  beforeAll(async () => {
    org = createCertificateAuthority('org CA');
    partner = createCertificateAuthority('partner CA');
    next = createCertificateAuthority('next partner CA');
    const server = issueServerCertificate(org);
    service = await startService({
      ECT_TLS_CERT: keep('server.pem', server.cert),
      ECT_TLS_KEY: keep('server.key', server.key),
      ECT_TLS_CLIENT_BUNDLES: `example.org=${keep('org.pem', org.cert)},partner.example=${keep('partner.pem', partner.cert)}`,
    });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    for (const ca of [org, partner, next]) ca?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const clientOf = (certificate: Certificate) =>
    authorityClient(service.url, 'gRPC over HTTP/2', { ca: org.cert, ...certificate });
  const order = { execAct: 'review_spec', aud: ['urn:example:reviewer'] };
  const issuerOf = async (certificate: Certificate) => (await clientOf(certificate).issue(order)).claims?.iss;
  const reasonOf = async (certificate: Certificate) =>
    (await failureOf(clientOf(certificate).issue(order))).info?.reason;

  test('A8 a workload of either issues in its own name, and verifies that of the other', async () => {
    expect(await issuerOf(issueSvid(partner, PARTNER))).toBe(PARTNER);
    const client = clientOf(issueSvid(org, ORG));
    const { token, claims } = await client.issue({ ...order, aud: [PARTNER] });
    expect(claims?.iss).toBe(ORG);
    expect((await clientOf(issueSvid(partner, PARTNER)).verify({ token })).valid).toBe(true);
    expect(await reasonOf(issueSvid(org, PARTNER))).toBe('CALLER_UNTRUSTED');
  });

  test('A7 A8 a bundle that cannot be used changes nothing; another CA of a domain takes the place of the first', async () => {
    const before = issueSvid(partner, PARTNER);
    const open = clientOf(before);
    await open.issue(order);
    keep('partner.pem', next.cert.slice(0, next.cert.length / 2));
    await vi.waitFor(() => expect(service.events('reload-refused').length).toBe(1), SOON);
    expect(String(service.events('reload-refused')[0]?.['why'])).toContain('ECT_TLS_CLIENT_BUNDLES');
    expect((await open.issue(order)).claims?.iss).toBe(PARTNER);
    keep('partner.pem', next.cert);
    await vi.waitFor(() => expect(service.events('files-reloaded').length).toBe(1), SOON);
    expect((await failureOf(open.issue(order))).info?.reason).toBe('CALLER_UNTRUSTED');
    expect(await reasonOf(before)).toBe('CALLER_UNTRUSTED');
    expect(await issuerOf(issueSvid(next, PARTNER))).toBe(PARTNER);
    expect(await reasonOf(issueSvid(next, ORG))).toBe('CALLER_UNTRUSTED');
    expect(await issuerOf(issueSvid(org, ORG))).toBe(ORG);
  });
});
