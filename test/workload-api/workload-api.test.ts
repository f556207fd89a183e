// A1, A7, A8: an identity from the SPIFFE Workload API, through a real agent's life.

import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { readEndpoint } from '../../src/config/workload-api.ts';
import { WorkloadApi, type WorkloadApiEvents, WorkloadApiFault } from '../../src/workload-api/index.ts';
import { type CertificateAuthority, createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { SOON } from '../support/soon.ts';
import { derOf, sentSvid, WorkloadAgent } from '../support/workload-agent.ts';
import { AgentRelay } from './agent-relay.ts';

const AUTHORITY = 'spiffe://example.org/ect';
const FAST = { firstPauseMs: 20, longestPauseMs: 100, startMs: 5_000, denialMs: 300, lookMs: 20, betweenMs: 20 };

describeWith('openssl', 'the SPIFFE Workload API', () => {
  let ca: CertificateAuthority;
  let partner: CertificateAuthority;
  const ends: (() => Promise<unknown>)[] = [];
  beforeAll(() => {
    ca = createCertificateAuthority('org CA');
    partner = createCertificateAuthority('partner CA');
  });
  afterAll(() => {
    for (const authority of [ca, partner]) authority?.[Symbol.dispose]();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function startAgent(): Promise<WorkloadAgent> {
    const agent = new WorkloadAgent();
    ends.push(() => agent[Symbol.asyncDispose]());
    await agent.start();
    return agent;
  }

  async function startRelay({ path }: WorkloadAgent): Promise<AgentRelay> {
    const relay = new AgentRelay();
    ends.push(() => relay[Symbol.asyncDispose]());
    await relay.replace(path);
    return relay;
  }

  function open(
    agent: Pick<WorkloadAgent, 'address'>,
    options: {
      svid?: string;
      nowMs?: () => number;
      startMs?: number;
      firstMessageMs?: number;
      pingMs?: number;
      pongMs?: number;
    } = {},
  ) {
    const said: [string, ...unknown[]][] = [];
    const note =
      (name: string) =>
      (...args: unknown[]) =>
        void said.push([name, ...args]);
    const names = ['workloadApiUp', 'workloadApiDown', 'workloadApiRejected', 'svidInForce', 'svidLost'] as const;
    const events = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as WorkloadApiEvents;
    const { svid, nowMs = Date.now, ...given } = options;
    const choice = svid?.startsWith('spiffe:') ? { spiffeId: svid } : svid === undefined ? undefined : { hint: svid };
    const endpoint = readEndpoint(agent.address);
    if (endpoint === undefined) throw new TypeError('no endpoint');
    const api = new WorkloadApi(
      { endpoint, address: agent.address, svid: choice },
      {
        nowMs,
        events,
        times: { ...FAST, ...given },
      },
    );
    ends.push(() => api.stop());
    return { api, named: (name: string) => said.filter(([event]) => event === name).map(([, ...args]) => args) };
  }

  const own = (id = AUTHORITY, hint = '') => sentSvid(id, issueSvid(ca, id), ca, hint);
  const why = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => new Error('it came'),
      (thrown: unknown) => thrown,
    );
    return error instanceof WorkloadApiFault ? error.message : String(error);
  };

  const whyNot = (agent: Pick<WorkloadAgent, 'address'>, options: { svid?: string } = {}) =>
    why(open(agent, { ...options, startMs: 700 }).api.start());

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

  test('A8 a federated bundle counts while the agent names it; one that cannot be read is left out alone', async () => {
    const agent = await startAgent();
    const svid = own();
    const domains = () => [...(api.identity?.texts.bundles.keys() ?? [])];
    const { api, named } = open(agent);
    agent.x509.send({ svids: [svid], federatedBundles: { 'spiffe://partner.example': derOf(partner.cert) } });
    await api.start();
    expect(domains()).toEqual(['example.org', 'partner.example']);
    agent.x509.send({ svids: [svid], federatedBundles: {} });
    await vi.waitFor(() => expect(domains()).toEqual(['example.org']), SOON);
    agent.x509.send({
      svids: [svid],
      federatedBundles: {
        'spiffe://partner.example': derOf(partner.cert),
        'spiffe://broken.example': Buffer.from('no DER'),
        'spiffe://partner.example/workload': derOf(partner.cert),
        'spiffe://EXAMPLE.org': derOf(partner.cert),
        'spiffe://example.org': derOf(partner.cert),
      },
    });
    await vi.waitFor(() => expect(domains()).toEqual(['example.org', 'partner.example']), SOON);
    expect(named('svidInForce').at(-1)).toMatchObject([{ problems: { length: 4 } }]);
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
      () => ({ svids: [{ ...own(), bundle: derOf(partner.cert) }] }),
      'does not vouch',
    ],
    ['has no bundle', () => ({ svids: [{ ...own(), bundle: new Uint8Array() }] }), 'is empty'],
  ])('A1 A7 an SVID that %s is rejected, and the one before stays', async (_name, message, rule) => {
    const agent = await startAgent();
    agent.x509.send(message());
    expect(await whyNot(agent)).toContain(rule);
    agent.x509.send({ svids: [own()] });
    const { api, named } = open(agent);
    await api.start();
    const { identity } = api;
    agent.x509.send(message());
    await vi.waitFor(() => expect(named('workloadApiRejected')).toHaveLength(1), SOON);
    expect(api.identity).toBe(identity);
    agent.x509.send({ svids: [own()] });
    await vi.waitFor(() => expect(api.identity).not.toBe(identity), SOON);
  });

  const strange = () => {
    using other = createCertificateAuthority('other');
    return sentSvid(AUTHORITY, issueSvid(other, AUTHORITY), other).x509SvidKey;
  };
  const signing = () =>
    sentSvid(AUTHORITY, ca.issue({ names: [{ uri: AUTHORITY }], isCa: true, keyUsage: 'keyCertSign' }), ca);
  const expired = () => sentSvid(AUTHORITY, ca.issue({ names: [{ uri: AUTHORITY }], days: -1 }), ca);

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

  test('A1 an SVID that the agent takes back is given up, but not for a moment of doubt', async () => {
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
    const told = vi.fn();
    api.follow(told);
    now += 2 * 86_400_000;
    await vi.waitFor(() => expect(api.identity).toBeUndefined(), SOON);
    expect(told).toHaveBeenCalledWith(undefined);
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
