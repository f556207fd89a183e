// What the tests of the SPIFFE Workload API share: two CAs, agents, and clients of them that wait for little.

import { afterAll, afterEach, beforeAll } from 'vitest';
import { readEndpoint } from '../../src/config/workload-api.ts';
import { WorkloadApi, type WorkloadApiEvents, WorkloadApiFault } from '../../src/workload-api/index.ts';
import { type CertificateAuthority, createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { sentSvid, WorkloadAgent } from '../support/workload-agent.ts';
import { AgentRelay } from './agent-relay.ts';

export const AUTHORITY = 'spiffe://example.org/ect';
const FAST = { firstPauseMs: 20, longestPauseMs: 100, startMs: 5_000, denialMs: 300, lookMs: 20, betweenMs: 20 };

/** In the `describe` that calls it: the CAs are there from before its first test, and what a test starts ends with the test. */
export function workloadApiTests() {
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

  return { startAgent, startRelay, open, own, why, whyNot, ca: () => ca, partner: () => partner };
}
