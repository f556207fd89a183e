// A1, A7: which X.509-SVID of the SPIFFE Workload API is the identity, and until when.

import { expect, test, vi } from 'vitest';
import { createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { SOON } from '../support/soon.ts';
import { derOf, sentSvid } from '../support/workload-agent.ts';
import { AUTHORITY, workloadApiTests } from './agents.ts';

describeWith('openssl', 'the SPIFFE Workload API', () => {
  const { startAgent, open, own, whyNot, ca, partner } = workloadApiTests();

  test('A1 the first SVID is the identity, with the bundle of its own trust domain', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own(), own('spiffe://example.org/other')] });
    const { api } = open(agent);
    await api.start();
    expect(api.identity?.spiffeId).toBe(AUTHORITY);
    expect([...(api.identity?.texts.bundles.keys() ?? [])]).toEqual(['example.org']);
  });

  test('A1 of several SVIDs a setting chooses by SPIFFE ID or by hint, and nothing else does', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own('spiffe://example.org/a', 'internal'), own('spiffe://example.org/b', 'ect')] });
    for (const svid of ['spiffe://example.org/b', 'ect']) {
      const { api } = open(agent, { svid });
      await api.start();
      expect(api.identity?.spiffeId).toBe('spiffe://example.org/b');
    }
    expect(await whyNot(agent, { svid: 'spiffe://example.org/c' })).toContain('ECT_WORKLOAD_API_SVID');
  });

  test.each<[string, () => object, string]>([
    ['has no SVID', () => ({ svids: [] }), 'has no X.509-SVID'],
    ['is cut off', () => ({ svids: [{ ...own(), x509Svid: own().x509Svid.subarray(0, 300) }] }), 'cannot be read'],
    ['has no key', () => ({ svids: [{ ...own(), x509SvidKey: new Uint8Array() }] }), 'PKCS #8'],
    ['has the key of another', () => ({ svids: [{ ...own(), x509SvidKey: strange() }] }), 'not that of'],
    [
      'names another SPIFFE ID',
      () => ({ svids: [{ ...own(), spiffeId: 'spiffe://example.org/b' }] }),
      'is not an X.509-SVID of',
    ],
    ['has a name that is no SPIFFE ID', () => ({ svids: [own('spiffe://example.org//a')] }), 'spiffe_id'],
    ['has the name of a trust domain', () => ({ svids: [own('spiffe://example.org')] }), 'spiffe_id'],
    ['may sign others', () => ({ svids: [signing()] }), 'is not an X.509-SVID of'],
    ['has expired', () => ({ svids: [expired()] }), 'expired at'],
    [
      'is of another trust domain than its bundle',
      () => ({ svids: [{ ...own(), bundle: derOf(partner().cert) }] }),
      'does not vouch',
    ],
    ['has no bundle', () => ({ svids: [{ ...own(), bundle: new Uint8Array() }] }), 'is empty'],
  ])('A1 A7 an SVID that %s is rejected, and the one before stays', async (_name, message, rule) => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    const { api, named } = open(agent);
    await api.start();
    const { identity } = api;
    agent.x509.send(message());
    await vi.waitFor(() => expect(named('workloadApiRejected')).toHaveLength(1), SOON);
    expect(named('workloadApiRejected').join()).toContain(rule);
    expect(api.identity).toBe(identity);
    agent.x509.send({ svids: [own()] });
    await vi.waitFor(() => expect(api.identity).not.toBe(identity), SOON);
  });

  const strange = () => {
    using other = createCertificateAuthority('other');
    return sentSvid(AUTHORITY, issueSvid(other, AUTHORITY), other).x509SvidKey;
  };
  const signing = () =>
    sentSvid(AUTHORITY, ca().issue({ names: [{ uri: AUTHORITY }], isCa: true, keyUsage: 'keyCertSign' }), ca());
  const expired = () => sentSvid(AUTHORITY, ca().issue({ names: [{ uri: AUTHORITY }], days: -1 }), ca());

  test('A1 an SVID that the agent takes back is dropped, but not if the agent reports no identity only for a moment', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    const { api, named } = open(agent);
    await api.start();
    agent.x509.reject(7);
    await vi.waitFor(() => expect(named('workloadApiDown')).toHaveLength(1), SOON);
    expect(api.identity).toBeDefined();
    await vi.waitFor(() => expect(api.identity).toBeUndefined(), SOON);
    expect(named('svidLost')).toEqual([['the agent has taken it back']]);
    agent.x509.send({ svids: [own()] });
    await vi.waitFor(() => expect(api.identity).toBeDefined(), SOON);
  });

  test('A1 an SVID ends with its certificate, whatever the agent does', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    let now = Date.now();
    const { api, named } = open(agent, { nowMs: () => now });
    await api.start();
    const reported = vi.fn();
    api.follow(reported);
    now += 2 * 86_400_000;
    await vi.waitFor(() => expect(api.identity).toBeUndefined(), SOON);
    expect(reported).toHaveBeenCalledWith(undefined);
    expect(named('svidLost').join()).toContain('expired at');
  });

  test('A1 an agent that falls silent before a renewal is asked again', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    let now = Date.now();
    const { api, named } = open(agent, { nowMs: () => now });
    await api.start();
    now += 86_400_000 * 0.9;
    await vi.waitFor(() => expect(named('workloadApiDown').join()).toContain('silent'), SOON);
    await vi.waitFor(() => expect(named('workloadApiUp')).toHaveLength(2), SOON);
  });

  test('A1 a start says what is missing: the socket, its listener, or a registration entry', async () => {
    expect(await whyNot({ address: 'unix:///nowhere/agent.sock' })).toContain('does not exist');
    expect(await whyNot({ address: `unix://${import.meta.filename}` })).toMatch(/no process listens|no stream socket/);
    expect(await whyNot({ address: 'tcp://127.0.0.1:1' })).toContain('ECONNREFUSED');
    const agent = await startAgent();
    agent.x509.reject(7);
    const denied = await whyNot(agent);
    expect(denied).toContain('registration entry');
    expect(denied).toContain(`uid ${process.getuid?.()}`);
    agent.x509.reject(3);
    expect(await whyNot(agent)).toContain('InvalidArgument');
  });
});
