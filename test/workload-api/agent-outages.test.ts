// A7: an agent of the SPIFFE Workload API that goes away, hangs or sends what is no message.

import { expect, test, vi } from 'vitest';
import { describeWith } from '../support/need.ts';
import { SOON } from '../support/soon.ts';
import { AUTHORITY, workloadApiTests } from './agents.ts';

describeWith('openssl', 'an agent of the SPIFFE Workload API', () => {
  const { startAgent, startRelay, open, own, whyNot } = workloadApiTests();

  test('A7 an agent that goes away takes nothing along; when it is back its next SVID counts', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    const { api, named } = open(agent);
    await api.start();
    const { identity } = api;
    agent.stop();
    await vi.waitFor(() => expect(named('workloadApiDown').length).toBeGreaterThan(2), SOON);
    expect(named('workloadApiDown').at(-1)).toMatchObject(['x509', expect.stringContaining('does not exist'), false]);
    expect(api.identity).toBe(identity);
    await agent.start();
    agent.x509.send({ svids: [own()] });
    await vi.waitFor(() => expect(api.identity).not.toBe(identity), SOON);
    expect(named('svidLost')).toEqual([]);
  });

  test('A7 an agent that hangs is left for the one that has taken its place, by a new socket at the same path', async () => {
    const [first, second] = [await startAgent(), await startAgent()];
    const jwks = (name: string) => Buffer.from(`{"keys":["${name}"]}`);
    for (const [agent, name] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      agent.x509.send({ svids: [own()] });
      agent.jwt.send({ bundles: { 'spiffe://example.org': jwks(name) } });
    }
    const relay = await startRelay(first);
    let now = Date.now();
    const { api, named } = open(relay, { nowMs: () => now, firstMessageMs: 300 });
    await api.start();
    const { identity } = api;
    expect(Buffer.from((await api.jwtBundles.read('example.org')) ?? [])).toEqual(jwks('first'));
    relay.hang();
    await relay.replace(second.path);
    now += 86_400_000 * 0.9;
    await vi.waitFor(() => expect(api.identity).not.toBe(identity), SOON);
    expect(second.x509.open).toBe(1);
    expect(named('svidLost')).toEqual([]);
  });

  test.each<[string, Uint8Array]>([
    ['what is no HTTP/2', Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
    ['zeros', Buffer.alloc(64)],
    // A DATA frame of stream 1 with a gRPC message that is no Protobuf, and one that is cut off.
    ['a message that is none', Buffer.from('000008000000000001' + '0000000003' + 'ffffff', 'hex')],
    ['a message without its end', Buffer.from('000006000100000001' + '00000000ff' + '0a', 'hex')],
  ])('A7 an agent that sends %s in the middle is asked anew, and the SVID before stays', async (_name, bytes) => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    const relay = await startRelay(agent);
    const { api, named } = open(relay);
    await api.start();
    const { identity } = api;
    relay.write(bytes);
    await vi.waitFor(() => expect(named('workloadApiDown')).not.toEqual([]), SOON);
    expect(named('workloadApiDown')[0]?.[1]).toMatch(/^the agent answered /);
    expect(api.identity).toBe(identity);
    agent.x509.send({ svids: [own()] });
    await vi.waitFor(() => expect(api.identity).not.toBe(identity), SOON);
    expect(named('svidLost')).toEqual([]);
  });

  test('A7 a message above 4 MiB is rejected by its length', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()], crl: [Buffer.alloc(5 * 1024 * 1024)] });
    expect(await whyNot(agent)).toContain('larger than 4194304 bytes');
  });

  test('A7 a process that may wait for its identity waits for as long as the agent is away', async () => {
    const agent = await startAgent();
    agent.x509.send({ svids: [own()] });
    agent.stop();
    const { api, named } = open(agent, { startMs: 1 });
    const started = api.start('as long as it takes');
    await vi.waitFor(() => expect(named('workloadApiDown').length).toBeGreaterThan(2), SOON);
    await agent.start();
    agent.x509.reject(3);
    await vi.waitFor(() => expect(named('workloadApiDown').join()).toContain('InvalidArgument'), SOON);
    agent.x509.send({ svids: [own()] });
    await started;
    expect(api.identity?.spiffeId).toBe(AUTHORITY);
  });
});
