// The replay guard over a cluster of Redis: uses are spread over its masters, and none is judged by a node whose history is not known.

import { afterEach, expect, test } from 'vitest';
import type { ReplayGuard } from '../../../src/authority/replay-guard.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { FULL } from '../../support/full.ts';
import { describeWithRedis, freePort, type RedisServer, startRedis } from '../../support/redis.ts';
import { SOON } from '../../support/soon.ts';
import { GAP_SECONDS, openGuard, unavailable } from './guards.ts';

const seconds = () => Math.floor(Date.now() / 1000);
const MIDDLE = 8_192;
const LAST = 16_383;
const TOKENS = 64;

describeWithRedis('a cluster of Redis', () => {
  const servers: RedisServer[] = [];
  const guards: ReplayGuard[] = [];
  afterEach(async () => {
    await Promise.all(guards.splice(0).map((guard) => guard.close()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  async function startMember(): Promise<RedisServer> {
    const server = await startRedis({ 'cluster-enabled': 'yes', 'cluster-port': `${await freePort()}` });
    servers.push(server);
    return server;
  }

  async function introduce(a: RedisServer, b: RedisServer): Promise<void> {
    const bus = /cluster-port\s+([0-9]+)/.exec(
      String(await b.command('CONFIG', 'GET', 'cluster-port')).replace(',', ' '),
    )?.[1];
    await a.command('CLUSTER', 'MEET', '127.0.0.1', b.port, Number(bus));
  }

  const state = async (server: RedisServer) => String(await server.command('CLUSTER', 'INFO'));

  async function startCluster(): Promise<readonly [RedisServer, RedisServer]> {
    const [a, b] = [await startMember(), await startMember()];
    await a.command('CLUSTER', 'ADDSLOTSRANGE', 0, MIDDLE - 1);
    await b.command('CLUSTER', 'ADDSLOTSRANGE', MIDDLE, LAST);
    await introduce(a, b);
    for (const server of [a, b]) await expect.poll(() => state(server), SOON).toContain('cluster_state:ok');
    return [a, b];
  }

  async function open({ port, target }: RedisServer) {
    const { guard, reported } = await openGuard(target({ place: { kind: 'cluster', host: '127.0.0.1', port } }));
    guards.push(guard);
    return { guard, reported };
  }

  const claimAll = (guard: ReplayGuard, differs: { readonly iat?: number } = {}, name = 'task') =>
    Promise.allSettled(
      Array.from({ length: TOKENS }, (_, n) =>
        guard.claim(tokenUse({ iat: seconds(), jti: `${name} ${n}`, ...differs }), seconds() + 600, seconds()),
      ),
    );

  const all = (value: string) => Array.from({ length: TOKENS }, () => ({ status: 'fulfilled', value }));

  test('R2: through any of its nodes a token is fresh once, and both masters have uses', async () => {
    const [a, b] = await startCluster();
    const [one, other] = [await open(a), await open(b)];
    expect(await claimAll(one.guard)).toEqual(all('fresh'));
    expect(await claimAll(other.guard)).toEqual(all('replayed'));
    for (const server of [a, b]) {
      const keys = (await server.command('KEYS', 'ect:*')) as string[];
      expect(keys.filter((key) => !key.endsWith('history')).length).toBeGreaterThan(TOKENS / 8);
    }
  });

  test.runIf(FULL)(
    'L23: while one of its nodes is away nothing is accepted, and after its restart nothing of it from before',
    async () => {
      const [a, b] = await startCluster();
      const { guard } = await open(a);
      expect(await claimAll(guard)).toEqual(all('fresh'));
      await b.crash();
      await expect.poll(() => guard.isReady(), SOON).toBe(false);
      const rejected = { status: 'rejected', reason: unavailable() };
      for (const outcome of await claimAll(guard)) expect(outcome).toMatchObject(rejected);
      await b.restart();
      await expect.poll(() => guard.isReady(), SOON).toBe(true);
      const again = await claimAll(guard);
      expect(again.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(TOKENS / 8);
      for (const outcome of again) {
        if (outcome.status === 'fulfilled') expect(outcome.value).toBe('replayed');
        else expect(outcome.reason).toMatchObject(unavailable(expect.stringContaining('issued before')));
      }
      expect(await claimAll(guard, { iat: seconds() + GAP_SECONDS + 60 }, 'later')).toEqual(all('fresh'));
    },
  );

  test.runIf(FULL)(
    'L23: where slots have moved the guard asks the cluster anew, and accepts nothing from before in them',
    async () => {
      const [a, b] = await startCluster();
      const { guard } = await open(a);
      expect(await claimAll(guard)).toEqual(all('fresh'));
      // All slots of the second without their keys: the worst that can happen to them.
      await b.command('FLUSHALL');
      await b.command('CLUSTER', 'DELSLOTSRANGE', MIDDLE, LAST);
      // Until the second node has announced that it released the slots, the first one gets the assignment again.
      const take = async () => {
        await a.command('CLUSTER', 'DELSLOTSRANGE', MIDDLE, LAST).catch(() => undefined);
        return a.command('CLUSTER', 'ADDSLOTSRANGE', MIDDLE, LAST).catch(String);
      };
      await expect.poll(take, SOON).toBe('OK');
      await a.command('CLUSTER', 'BUMPEPOCH');
      await expect.poll(() => state(b), SOON).toContain('cluster_slots_assigned:16384');
      const outcomes = async () =>
        (await claimAll(guard)).map((outcome) =>
          outcome.status === 'fulfilled' ? outcome.value : outcome.reason.message,
        );
      const isSettled = (said: readonly string[]) =>
        said.every((each) => each === 'replayed' || /issued before/.test(each));
      await expect.poll(async () => isSettled(await outcomes()), SOON).toBe(true);
      expect(new Set(await outcomes()).size).toBe(2);
    },
  );
});
