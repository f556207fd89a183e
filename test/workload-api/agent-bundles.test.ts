// A8: the trust bundles of the SPIFFE Workload API, of X.509-SVIDs and of JWT-SVIDs.

import { expect, test, vi } from 'vitest';
import { describeWith } from '../support/need.ts';
import { SOON } from '../support/soon.ts';
import { derOf } from '../support/workload-agent.ts';
import { workloadApiTests } from './agents.ts';

describeWith('openssl', 'bundles of the SPIFFE Workload API', () => {
  const { startAgent, startRelay, open, own, why, partner } = workloadApiTests();

  test('A8 a federated bundle counts while the agent names it; one that cannot be read is left out alone', async () => {
    const agent = await startAgent();
    const svid = own();
    const domains = () => [...(api.identity?.texts.bundles.keys() ?? [])];
    const { api, named } = open(agent);
    agent.x509.send({ svids: [svid], federatedBundles: { 'spiffe://partner.example': derOf(partner().cert) } });
    await api.start();
    expect(domains()).toEqual(['example.org', 'partner.example']);
    agent.x509.send({ svids: [svid], federatedBundles: {} });
    await vi.waitFor(() => expect(domains()).toEqual(['example.org']), SOON);
    agent.x509.send({
      svids: [svid],
      federatedBundles: {
        'spiffe://partner.example': derOf(partner().cert),
        'spiffe://broken.example': Buffer.from('no DER'),
        'spiffe://partner.example/workload': derOf(partner().cert),
        'spiffe://EXAMPLE.org': derOf(partner().cert),
        'spiffe://example.org': derOf(partner().cert),
      },
    });
    await vi.waitFor(() => expect(domains()).toEqual(['example.org', 'partner.example']), SOON);
    expect(named('svidInForce').at(-1)).toMatchObject([{ problems: { length: 4 } }]);
  });

  test('A8 keys of an agent that does not answer a ping count as unknown, until another answers', async () => {
    const agent = await startAgent();
    const jwks = Buffer.from('{"keys":[]}');
    agent.x509.send({ svids: [own()] });
    agent.jwt.send({ bundles: { 'spiffe://example.org': jwks } });
    const relay = await startRelay(agent);
    const { api, named } = open(relay, { pingMs: 100, pongMs: 300, firstMessageMs: 300 });
    await api.start();
    await api.jwtBundles.read('example.org');
    relay.hang();
    await vi.waitFor(() => expect(named('workloadApiDown').map(([stream]) => stream)).toContain('jwt'), SOON);
    expect(named('workloadApiDown').join()).toContain('does not answer a ping');
    expect(await why(api.jwtBundles.read('example.org'))).toMatch(/^the agent /);
    await relay.replace(agent.path);
    await vi.waitFor(
      async () => expect(Buffer.from((await api.jwtBundles.read('example.org')) ?? [])).toEqual(jwks),
      SOON,
    );
    expect(named('svidLost')).toEqual([]);
  });

  test('A8 JWT bundles are those that the agent names now, and nothing is known while it is away', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    const { api } = open(agent);
    const jwks = Buffer.from('{"keys":[]}');
    agent.jwt.send({ bundles: { 'spiffe://example.org': jwks, 'spiffe://partner.example': jwks } });
    expect(Buffer.from((await api.jwtBundles.read('partner.example')) ?? [])).toEqual(jwks);
    expect(await api.jwtBundles.read('other.example')).toBeUndefined();
    agent.jwt.send({ bundles: { 'spiffe://example.org': jwks } });
    await vi.waitFor(async () => expect(await api.jwtBundles.read('partner.example')).toBeUndefined(), SOON);
    agent.stop();
    await vi.waitFor(
      async () => expect(await why(api.jwtBundles.read('example.org'))).not.toBe('Error: it came'),
      SOON,
    );
  });
});
