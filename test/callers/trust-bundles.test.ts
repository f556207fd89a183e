// A8: CAs of several trust domains over real TLS. A CA vouches for its own domain, and for no other.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { spiffeCallers } from '../../src/callers/identify.ts';
import { TrustBundles } from '../../src/callers/trust-bundles.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
  issueSvidBelow,
} from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { authorityClient, failureOf } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';

const ORG = 'spiffe://example.org/agent';
const PARTNER = 'spiffe://partner.example/agent';

describeWith('openssl', 'the CAs of several trust domains', () => {
  let org: CertificateAuthority;
  let partner: CertificateAuthority;
  let stranger: CertificateAuthority;
  let bundles: TrustBundles;
  let running: TestServer;

  beforeAll(async () => {
    org = createCertificateAuthority('org CA');
    partner = createCertificateAuthority('partner CA');
    stranger = createCertificateAuthority('org CA');
    bundles = new TrustBundles(both());
    const tls = { ...issueServerCertificate(org), clientCa: `${org.cert}${partner.cert}` };
    running = await startTestServer({
      tls,
      identify: spiffeCallers(Date.now, bundles),
      onAccepted: (socket) => bundles.accept(socket),
    });
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    for (const ca of [org, partner, stranger]) ca[Symbol.dispose]();
  });

  const both = () =>
    new Map([
      ['example.org', org.cert],
      ['partner.example', partner.cert],
    ]);
  const client = (certificate: Certificate) =>
    authorityClient(running.server.url, 'gRPC over HTTP/2', { ca: org.cert, ...certificate });
  const issue = async (certificate: Certificate) => (await client(certificate).issue({})).token;
  const rejection = async (certificate: Certificate) => (await failureOf(client(certificate).issue({}))).info?.reason;

  test('A8 each is trusted for the workloads of its own domain', async () => {
    expect(await issue(issueSvid(org, ORG))).toBe(`issued for ${ORG}`);
    expect(await issue(issueSvid(partner, PARTNER))).toBe(`issued for ${PARTNER}`);
    expect(running.calls().at(-1)).toMatchObject({ caller: PARTNER, proof: 'mtls', by: 'partner.example' });
  });

  test('A8 and for no workload of another, though TLS trusts it', async () => {
    expect(await rejection(issueSvid(org, PARTNER))).toBe('CALLER_UNTRUSTED');
    expect(await rejection(issueSvid(partner, ORG))).toBe('CALLER_UNTRUSTED');
    expect(await rejection(issueSvid(org, 'spiffe://third.example/agent'))).toBe('CALLER_UNTRUSTED');
    expect(await rejection(issueSvid(org, 'spiffe://sub.example.org/agent'))).toBe('CALLER_UNTRUSTED');
    expect(await rejection(issueSvid(stranger, ORG))).toBe('CALLER_UNTRUSTED');
  });

  test('A8 an intermediate counts where it is in the bundle of the domain, and for that domain only', async () => {
    const [below, foreign] = [issueSvidBelow(partner, PARTNER), issueSvidBelow(partner, ORG)];
    expect(await rejection(below)).toBe('CALLER_UNTRUSTED');
    const [, intermediate = ''] = below.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    try {
      bundles.replace(both().set('partner.example', partner.cert + intermediate));
      expect(await issue(below)).toBe(`issued for ${PARTNER}`);
      expect(await rejection(foreign)).toBe('CALLER_UNTRUSTED');
    } finally {
      bundles.replace(both());
    }
  });

  test('A8 with one bundle the handshake has verified the intermediates, and the domain counts all the same', async () => {
    const alone = new TrustBundles(new Map([['partner.example', partner.cert]]));
    await using other = await startTestServer({
      tls: { ...issueServerCertificate(org), clientCa: partner.cert },
      identify: spiffeCallers(Date.now, alone),
      onAccepted: (socket) => alone.accept(socket),
    });
    const ask = (certificate: Certificate) =>
      authorityClient(other.server.url, 'gRPC over HTTP/2', { ca: org.cert, ...certificate }).issue({});
    expect((await ask(issueSvidBelow(partner, PARTNER))).token).toBe(`issued for ${PARTNER}`);
    for (const wrong of [issueSvidBelow(partner, ORG), issueSvid(partner, ORG), issueSvid(org, PARTNER)]) {
      expect((await failureOf(ask(wrong))).info?.reason).toBe('CALLER_UNTRUSTED');
    }
  });

  test('A8 the CA of another domain beside its own does not help', async () => {
    const leaf = issueSvid(partner, ORG);
    expect(await rejection({ cert: leaf.cert + org.cert + partner.cert, key: leaf.key })).toBe('CALLER_UNTRUSTED');
  });

  test('A7 a domain that is taken away is trusted no longer, on connections that are open too', async () => {
    const open = client(issueSvid(partner, PARTNER));
    const other = client(issueSvid(org, ORG));
    await open.issue({});
    await other.issue({});
    try {
      bundles.replace(new Map([['example.org', org.cert]]));
      expect((await failureOf(open.issue({}))).info?.reason).toBe('CALLER_UNTRUSTED');
      expect((await other.issue({})).token).toBe(`issued for ${ORG}`);
      // Another CA for the same domain is no CA of before.
      bundles.replace(new Map([['example.org', stranger.cert]]));
      expect((await failureOf(other.issue({}))).info?.reason).toBe('CALLER_UNTRUSTED');
    } finally {
      bundles.replace(both());
    }
    expect(await issue(issueSvid(partner, PARTNER))).toBe(`issued for ${PARTNER}`);
  });
});
