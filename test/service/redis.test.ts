// Services that remember the uses of tokens in Redis: what goes on without it, what does not, and what the ledger still holds.

import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Issued, type Recorded, reasonIn, type Verdict } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { rounds } from '../support/full.ts';
import { describeWithPostgres, postgresUrl, startPostgres } from '../support/postgres.ts';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const PASSWORD = 'CANARY-p@ss:w/o"rd%';

describeWithRedis('a service with its replay guard in Redis', () => {
  let server: RedisServer;
  let folder: string;
  beforeAll(async () => {
    server = await startRedis({ requirepass: PASSWORD });
    folder = await mkdtemp(join(tmpdir(), 'ect-redis-service-'));
    writeFileSync(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const settings = (prefix: string) => ({
    ECT_REPLAY: 'redis',
    ECT_REDIS_URL: `redis://127.0.0.1:${server.port}`,
    ECT_REDIS_PASSWORD_FILE: join(folder, 'password'),
    ECT_REDIS_PREFIX: prefix,
  });

  const issue = (client: GrpcClient) =>
    client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] }).then(({ token }) => token);
  const verify = (client: GrpcClient, token: string, more: object = {}) =>
    client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE, ...more });
  const append = (client: GrpcClient, token: string) => client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
  const readiness = async (service: ServiceProcess) => {
    const answer = await fetch(`${service.url}/readyz`);
    const { methods } = (await answer.json()) as { methods: Record<string, boolean> };
    return { status: answer.status, verifies: methods[`${AUTHORITY}/Verify`], issues: methods[`${AUTHORITY}/Issue`] };
  };
  const gauge = async (service: ServiceProcess) =>
    /^ect_redis_down (\d)/m.exec(await (await fetch(`${service.url}/metrics`)).text())?.[1];

  test('R1, R2: of many uses at once at all workers one is accepted', async () => {
    await using service = await startService({ ...settings('workers'), ECT_WORKERS: '2' });
    const clients = Array.from({ length: 4 }, () => dial(service.address));
    for (let round = 0; round < rounds(20, 3); round++) {
      const token = await issue(clients[0]!);
      const verdicts = await Promise.all(Array.from({ length: 24 }, (_, n) => verify(clients[n % 4]!, token)));
      expect(verdicts.filter(({ valid }) => valid)).toHaveLength(1);
      const reasons = verdicts.filter(({ valid }) => !valid).map(reasonIn);
      expect(new Set(reasons)).toEqual(new Set(['TOKEN_REPLAYED']));
    }
    for (const client of clients) client[Symbol.dispose]();
  });

  test('L23, R8: without Redis only Verify with its replay check fails, and says so; nothing is accepted twice when it is back, emptied', async () => {
    await using service = await startService({ ...settings('outage'), ECT_LOG_LEVEL: 'debug' });
    using client = dial(service.address);
    const [used, unused] = [await issue(client), await issue(client)];
    expect(await verify(client, used)).toMatchObject({ valid: true });
    const recorded = await append(client, used);
    expect(recorded.duplicate).toBe(false);
    expect(await readiness(service)).toEqual({ status: 200, verifies: true, issues: true });
    expect(await gauge(service)).toBe('0');

    await server.crash();
    const rejected = { code: 14, reason: 'REPLAY_GUARD_UNAVAILABLE' };
    await expect(verify(client, unused)).rejects.toMatchObject(rejected);
    await expect.poll(() => readiness(service), SOON).toEqual({ status: 200, verifies: false, issues: true });
    // A page of metrics is kept for a moment.
    await expect.poll(() => gauge(service), SOON).toBe('1');
    expect(await issue(client)).not.toBe('');
    expect(await verify(client, unused, { replay_mode: 'REPLAY_MODE_SKIP' })).toMatchObject({ valid: true });
    // The ledger is the fence of what is recorded, whatever becomes of Redis.
    expect(await append(client, used)).toMatchObject({ duplicate: true });

    await server.restart();
    await expect.poll(() => readiness(service), SOON).toEqual({ status: 200, verifies: true, issues: true });
    for (const token of [used, unused]) await expect(verify(client, token)).rejects.toMatchObject(rejected);
    const again = await append(client, used);
    expect(again.duplicate).toBe(true);
    expect(again.receipt.inclusion.leaf_index).toBe(recorded.receipt.inclusion.leaf_index);
    expect(await service.stop()).toBe(0);
    for (const event of ['redis-down', 'redis-history-begun']) expect(service.events(event), event).toHaveLength(1);
    expect(service.events('redis-up')).toHaveLength(2);
    expect(service.stdout() + service.stderr()).not.toContain('CANARY');
  });

  test('a service starts without Redis, and waits for it', async () => {
    await server.crash();
    await using service = await startService(settings('absent'));
    using client = dial(service.address);
    const token = await issue(client);
    await expect(verify(client, token)).rejects.toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE' });
    await server.restart();
    await expect.poll(() => readiness(service), SOON).toMatchObject({ verifies: true });
  });

  test('S10: a start with a Redis that cannot be used as it is is rejected with the next step', async () => {
    const wrong = join(folder, 'wrong');
    writeFileSync(wrong, 'CANARY-other', { mode: 0o600 });
    const start = (differs: object) =>
      runMain(['serve'], {
        ...settings('refused'),
        ECT_LISTEN: '127.0.0.1:0',
        ECT_DATA_DIR: join(folder, 'data'),
        ...differs,
      });
    const rejected = await start({ ECT_REDIS_PASSWORD_FILE: wrong });
    expect(rejected).toMatchObject({ code: 1, stderr: expect.stringContaining('rejects the user or the password') });
    expect(rejected.stderr).not.toContain('CANARY');
    const missing = await start({ ECT_REDIS_PASSWORD_FILE: join(folder, 'missing') });
    expect(missing.stderr).toContain('The file of ECT_REDIS_PASSWORD_FILE cannot be read');
    const checked = await runMain(['config', 'check'], {
      ...settings('refused'),
      ECT_REDIS_CA_FILE: wrong,
      ECT_REDIS_URL: 'rediss://127.0.0.1',
      ECT_REDIS_PASSWORD_FILE: join(folder, 'missing'),
    });
    expect(checked).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ECT_REDIS_PASSWORD_FILE cannot be read'),
    });
  });

  describeWithPostgres('and its ledger in PostgreSQL', () => {
    test('R2, L23: replicas over PostgreSQL share one Redis, and what it forgets the ledger still knows', async () => {
      const database = await startPostgres();
      const files = makeReplicaFiles();
      onTestFinished(() => rm(files.folder, { recursive: true, force: true }));
      const all = { ...settings('replicas'), ...files.settings, ECT_POSTGRES_URL: postgresUrl(database.host) };
      await using first = await startService(all);
      await using second = await startService(all);
      const clients = [first, second].map(({ address }) => dial(address));
      const token = await issue(clients[0]!);
      const verdicts = await Promise.all(Array.from({ length: 24 }, (_, n) => verify(clients[n % 2]!, token)));
      expect(verdicts.filter(({ valid }) => valid)).toHaveLength(1);
      expect(await append(clients[0]!, token)).toMatchObject({ duplicate: false });
      await server.command('FLUSHALL');
      for (const client of clients) {
        const verified = verify(client, token);
        await expect(verified).rejects.toMatchObject({ code: 14, reason: 'REPLAY_GUARD_UNAVAILABLE' });
        expect(await append(client, token)).toMatchObject({ duplicate: true });
      }
      // The uses are not in the database.
      expect(await database.sql('SELECT count(*) AS n FROM ect.once WHERE kind = 1')).toEqual([{ n: '0' }]);
      for (const client of clients) client[Symbol.dispose]();
      await database.stop();
    });
  });
});
