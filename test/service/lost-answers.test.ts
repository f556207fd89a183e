// Answers that get lost: what was done for them is asked for again by the same id, of another worker, and after a restart. And
// what one worker is called for a compromised key, the other knows.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Issued, reasonIn, type Verdict } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const ADMIN = 'ect.v1.AdminService';
const LEDGER = 'ect.v1.LedgerService';
const AUDIENCE = 'urn:example:reviewer';
const SETTINGS = {
  ECT_WORKERS: '2',
  ECT_ADMINS: 'anonymous',
  ECT_KEYS_REFRESH_SEC: '0.2',
  ECT_DEFAULT_EXPIRY_MIN: '7',
  ECT_LOG_LEVEL: 'warn',
};

type Batch = { readonly results: readonly { readonly response?: Issued }[] };
interface Managed {
  readonly key: { readonly kid: string; readonly state: string };
  readonly generation?: number;
}

/** Connections of their own: the supervisor hands them to its workers in turn. */
function dialTwo(address: string): Disposable & { readonly clients: readonly GrpcClient[] } {
  const clients = [dial(address), dial(address)];
  return {
    clients,
    [Symbol.dispose]: () => {
      for (const client of clients) client[Symbol.dispose]();
    },
  };
}

const sizeOf = async (client: GrpcClient) =>
  Number((await client.call<{ tree_size: string }>(`${LEDGER}/GetCheckpoint`, {})).tree_size);
const listKeys = async (client: GrpcClient) =>
  (await client.call<{ keys: readonly Managed[] }>(`${ADMIN}/ListKeys`, {})).keys;

describe('with two workers', () => {
  const items = Array.from({ length: 100 }, () => ({
    request: { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3', ttl: { seconds: 600 } },
  }));
  let service: ServiceProcess;
  let before = 0;
  let tokens: readonly string[] = [];
  let kid = '';
  let stolen = '';

  beforeAll(async () => {
    service = await startService(SETTINGS);
  }, SOON.timeout);
  afterAll(() => service[Symbol.asyncDispose]());

  const ask = async (client: GrpcClient, options = {}) => {
    const batch = { request_id: 'batch-1', items };
    const { results } = await client.call<Batch>(`${AUTHORITY}/BatchIssue`, batch, options);
    return results.map(({ response }) => response?.token ?? '');
  };
  const rotate = async (client: GrpcClient) => {
    const order = { urgent: true, note: 'incident', request_id: 'order-1' };
    return (await client.call<{ key: Managed }>(`${ADMIN}/RotateKey`, order)).key.key.kid;
  };
  const verify = async (client: GrpcClient, token: string) => {
    const question = { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' };
    return reasonIn(await client.call<Verdict>(`${AUTHORITY}/Verify`, question));
  };

  test('GetAuthority is served to every caller, and equals the page', async () => {
    using client = dial(service.address);
    const answer = await client.call<{ issuer: string }>(`${AUTHORITY}/GetAuthority`, {});
    const seconds = (text: string) => ({ seconds: text, nanos: 0 });
    expect(answer).toMatchObject({ limits: { default_ttl: seconds('420'), call_time: seconds('60') } });
    const page = await (await fetch(`${service.url}/.well-known/ect-authority`)).json();
    expect(page).toMatchObject({ issuer: answer.issuer, limits: { default_ttl: '420s', call_time: '60s' } });
    // Without side effects, so Connect serves it by GET as well.
    const query = `encoding=json&message=${encodeURIComponent('{}')}`;
    const get = await fetch(`${service.url}/${AUTHORITY}/GetAuthority?${query}`);
    expect(await get.json()).toMatchObject({ issuer: answer.issuer });
  });

  test('a batch whose answer was lost is answered again by another worker', async () => {
    using two = dialTwo(service.address);
    const [one, other] = two.clients as [GrpcClient, GrpcClient];
    before = await sizeOf(one);
    // Cut off, each time somewhere in the work.
    for (const afterMs of [5, 20, 60]) {
      const lost = ask(one, { deadline: Date.now() + afterMs });
      await lost.catch((error: unknown) => expect(error).toBeInstanceOf(CallError));
    }
    tokens = await ask(other);
    expect(new Set(tokens).size).toBe(items.length);
    expect(await ask(one)).toEqual(tokens);
    expect(await sizeOf(one)).toBe(before + items.length);
  });

  test('K13 an urgent order is carried out once, by two workers', async () => {
    using two = dialTwo(service.address);
    const [one, other] = two.clients as [GrpcClient, GrpcClient];
    const answers = await Promise.all([one, other, one, other].map(rotate));
    expect(new Set(answers).size).toBe(1);
    [kid = ''] = answers;
    const [first] = await listKeys(one);
    const late = one.call(`${ADMIN}/RotateKey`, { urgent: true, expected_current_kid: first?.key.kid });
    await expect(late).rejects.toMatchObject({ reason: 'KEY_NOT_CURRENT', info: { metadata: { current_kid: kid } } });
    expect(await listKeys(one)).toHaveLength(2);
  });

  test('K12 a key that is marked at one worker is rejected by the other too', async () => {
    using two = dialTwo(service.address);
    const [one, other] = two.clients as [GrpcClient, GrpcClient];
    ({ token: stolen } = await one.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] }));
    await vi.waitFor(async () => expect(await verify(other, stolen)).toBe(''), SOON);
    await one.call('ect.v1.AdminService/MarkCompromised', { kid });
    expect(await verify(one, stolen)).toBe('KEY_REVOKED');
    await vi.waitFor(async () => expect(await verify(other, stolen)).toBe('KEY_REVOKED'), SOON);
    expect((await listKeys(one)).map(({ key }) => key.state)).toEqual(['KEY_STATE_RETIRED', 'KEY_STATE_REVOKED']);
  });

  test('K12 K13 after a crash all of it is as it was: the tokens of the batch, the one order, the compromised key', async () => {
    await service.kill();
    await service.restart();
    using client = dial(service.address);
    const size = await sizeOf(client);
    expect(await ask(client)).toEqual(tokens);
    expect(await rotate(client)).toBe(kid);
    expect(await verify(client, stolen)).toBe('KEY_REVOKED');
    expect(await listKeys(client)).toHaveLength(2);
    expect(await sizeOf(client)).toBe(size);
    expect(service.events('bug')).toEqual([]);
  });
});
