// A1, A7, L1: several workers and one agent: each has its own streams, each gets every update, and none of them serves without an
// identity.

import { readFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDevCa, type DevCa } from '../../src/callers/dev-certificates.ts';
import { FULL } from '../support/full.ts';
import { authorityClient, failureOf } from '../support/rpc-clients.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { sentSvid, WorkloadAgent } from '../support/workload-agent.ts';

const ECT = 'spiffe://example.org/ect';
const CALLER = 'spiffe://example.org/agent';
const LOOPBACK = { ip: Buffer.of(127, 0, 0, 1) };
/** The supervisor hands connections to its workers in turn. */
const CONNECTIONS = 8;
const order = { execAct: 'review_spec', aud: ['urn:example:reviewer'] };

describe('two workers with a SPIFFE Workload API', () => {
  const agent = new WorkloadAgent();
  const org = caUntil('org CA', 86_400);
  const own = org.issue('caller', [{ uri: CALLER }]);
  let service: ServiceProcess;

  beforeAll(async () => {
    await agent.start();
    send(org);
    service = await startService({ ECT_WORKLOAD_API: agent.address, ECT_WORKERS: '2' });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await agent[Symbol.asyncDispose]();
  });

  /** The identity of the service by this CA. Callers are known by that of the organisation, too. */
  function send(ca: DevCa): void {
    const svid = sentSvid(ECT, ca.issue('ect', [{ uri: ECT }, LOOPBACK]), { cert: ca.cert + org.cert });
    agent.x509.send({ svids: [svid] });
  }

  const workersIn = (event: string, since: number) =>
    new Set(
      service
        .events(event)
        .slice(since)
        .map(({ worker }) => worker),
    );
  const both = (event: string, since: number) =>
    vi.waitFor(() => expect(workersIn(event, since)).toEqual(new Set([1, 2])), SOON);

  const clientBy = (ca: DevCa) =>
    authorityClient(service.url, 'gRPC over HTTP/2', { ca: ca.cert, cert: own.cert, key: own.key });

  /** Names of the CAs by which the service proves itself, on new connections. */
  async function provenBy(): Promise<readonly string[]> {
    const { hostname, port } = new URL(service.url);
    const names = Array.from(
      { length: CONNECTIONS },
      () =>
        new Promise<string>((resolve, reject) => {
          const socket: TLSSocket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
          socket.once('secureConnect', () => {
            resolve(socket.getPeerX509Certificate()?.issuer ?? '');
            socket.destroy();
          });
          socket.once('error', reject);
        }),
    );
    return [...new Set(await Promise.all(names))];
  }

  test('A7 each has a stream of its own, and a rotation reaches every one', async () => {
    await vi.waitFor(() => expect(agent.x509.open).toBe(2), SOON);
    for (const name of ['second CA', 'third CA']) {
      const before = service.events('svid-in-force').length;
      send(caUntil(name, 86_400));
      await both('svid-in-force', before);
      expect(await provenBy()).toEqual([`CN=${name}`]);
    }
  });

  test('L1 A7 a worker that dies while the agent is away ends nobody, and serves when another agent is there', async () => {
    const ca = caUntil('fourth CA', 86_400);
    const before = service.events('svid-in-force').length;
    send(ca);
    await both('svid-in-force', before);
    const started = service.events('started').length;
    agent.stop();
    const isAway = ({ why }: Record<string, unknown>) => String(why).includes(`${agent.path} does not exist`);
    const away = () => service.events('workload-api-down').filter(isAway);
    await vi.waitFor(() => expect(away()).toHaveLength(2), SOON);
    const [first, second] = await childrenOf(service.pid);
    process.kill(second!, 'SIGKILL');
    await vi.waitFor(() => expect(away()).toHaveLength(3), SOON);
    // For longer than a first start waits.
    if (FULL) await pause(17_000);
    for (let call = 0; call < CONNECTIONS; call++) expect((await clientBy(ca).issue(order)).claims?.iss).toBe(CALLER);
    expect(service.events('worker-ended')).toMatchObject([{ how: 'SIGKILL', restarted: true }]);
    expect(service.events('svid-lost')).toEqual([]);

    await agent.start();
    await vi.waitFor(() => expect(service.events('started').length).toBe(started + 1), SOON);
    await vi.waitFor(() => expect(agent.x509.open).toBe(2), SOON);
    expect(await provenBy()).toEqual(['CN=fourth CA']);
    expect(await childrenOf(service.pid)).toContain(first);
    for (let call = 0; call < CONNECTIONS; call++) expect((await clientBy(ca).issue(order)).claims?.iss).toBe(CALLER);
  }, 120_000);

  test('A1 A7 an identity that expires while the agent is away serves to its end, and at no worker any longer', async () => {
    const brief = caUntil('brief CA', FULL ? 20 : 10);
    const before = service.events('svid-in-force').length;
    send(brief);
    await both('svid-in-force', before);
    agent.stop();
    using open = await openSession(service.url, brief.cert, own);
    const client = clientBy(brief);
    expect((await client.issue(order)).claims?.iss).toBe(CALLER);
    expect(await open.read('/readyz')).toMatchObject({ status: 200, text: expect.stringContaining('"svid":true') });
    await both('svid-lost', 0);
    for (const { why } of service.events('svid-lost')) expect(why).toContain('the X.509-SVID expired at');

    expect(await open.read('/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('"svid":false') });
    expect((await failureOf(client.issue(order))).info?.reason).toBe('CALLER_UNTRUSTED');
    for (let attempt = 0; attempt < CONNECTIONS; attempt++)
      await expect(provenBy()).rejects.toThrow(/handshake failure/);

    await agent.start();
    send(org);
    await both('svid-in-force', before + 2);
    expect(await provenBy()).toEqual(['CN=org CA']);
    expect((await clientBy(org).issue(order)).claims?.iss).toBe(CALLER);
    using ready = await openSession(service.url, org.cert, own);
    expect(await ready.read('/readyz')).toMatchObject({ status: 200 });
  }, 120_000);

  // For as long as a start waits.
  test.runIf(FULL)(
    'A7 workers that are to be replaced stay where those after them get no identity',
    async () => {
      const workers = await childrenOf(service.pid);
      const ended = service.events('worker-ended').length;
      agent.stop();
      process.kill(service.pid, 'SIGUSR2');
      const since = () => service.events('worker-ended').slice(ended);
      await vi.waitFor(() => expect(since()).toMatchObject([{ how: 1, restarted: false }]), SOON);
      expect(await childrenOf(service.pid)).toEqual(workers);
      for (let call = 0; call < CONNECTIONS; call++)
        expect((await clientBy(org).issue(order)).claims?.iss).toBe(CALLER);
      await agent.start();
      await vi.waitFor(() => expect(agent.x509.open).toBe(2), SOON);
    },
    120_000,
  );

  test('L17 a worker that waits for its agent ends when the service is to end, and no signal is needed but one', async () => {
    agent.stop();
    const [, second] = await childrenOf(service.pid);
    const before = service.events('workload-api-down').length;
    process.kill(second!, 'SIGKILL');
    const isNew = ({ worker, why }: Record<string, unknown>) => worker === 2 && String(why).includes('does not exist');
    await vi.waitFor(() => expect(service.events('workload-api-down').slice(before).some(isNew)).toBe(true), SOON);
    const { length } = service.events('started');
    expect(await service.stop()).toBe(0);
    expect(service.events('started')).toHaveLength(length);
  });
});

function caUntil(name: string, seconds: number): DevCa {
  return createDevCa(name, new Date(Date.now() - 60_000), new Date(Date.now() + 1000 * seconds));
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** A connection that stays open, for pages. */
async function openSession(url: string, ca: string, { cert, key }: { readonly cert: string; readonly key: string }) {
  const session: ClientHttp2Session = connectHttp2(url, { ca, cert, key });
  session.on('error', () => undefined);
  await new Promise((resolve) => session.once('connect', resolve));
  return {
    read: (path: string) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        let [status, text] = [0, ''];
        session
          .request({ ':path': path })
          .on('response', (headers) => {
            status = Number(headers[':status']);
          })
          .setEncoding('utf8')
          .on('data', (chunk: string) => {
            text += chunk;
          })
          .on('end', () => resolve({ status, text }))
          .on('error', reject);
      }),
    [Symbol.dispose]: () => session.destroy(),
  };
}
