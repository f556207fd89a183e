// A dependency that is lost during the start, at each step of it: Redis, and AWS KMS. No call but those that need it has to wait for it, so
// the start takes no longer than a fixed time, serves the others, says which it does not serve, and serves these when it is back.

import { expect, test } from 'vitest';
import { startTrialKms } from '../../kms-double/trial.ts';
import type { Verdict } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { FULL } from '../support/full.ts';
import { type LosingPort, startLosingPort } from '../support/losing-port.ts';
import { describeWithRedis, startRedis } from '../support/redis.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { AUDIENCE, AUTHORITY, issue } from './faulty-kms.ts';

const FOREVER = Number.POSITIVE_INFINITY;

/** Each write of a start at which the dependency is lost, and whether its answer was on the way. */
function steps(writes: number): readonly (readonly [write: number, when: 'before' | 'after'])[] {
  const all = Array.from({ length: writes }, (_, at) => at + 1);
  const some = FULL ? all : [1, writes];
  return some.flatMap((write) => [[write, 'before'] as const, [write, 'after'] as const]);
}

async function methods({ url }: ServiceProcess) {
  const page = (await (await fetch(`${url}/readyz`)).json()) as { methods: Record<string, boolean> };
  const { [`${AUTHORITY}/Issue`]: issues, [`${AUTHORITY}/Verify`]: verifies } = page.methods;
  // A method that nothing can keep from being served is not listed.
  return { issues, verifies: verifies !== false };
}

const ALL = { issues: true, verifies: true };

/** How many writes a start makes whose dependency is not lost. */
async function countWrites(proxy: LosingPort, settings: Readonly<Record<string, string>>): Promise<number> {
  proxy.loseAt(0, 'before', 0);
  await using service = await startService(settings);
  expect(await methods(service)).toEqual(ALL);
  const { writes } = proxy;
  expect(writes).toBeGreaterThan(0);
  expect(await service.stop()).toBe(0);
  return writes;
}

describeWithRedis('L20: a start that loses Redis', () => {
  test('at whichever step, issues and verifies when Redis is back', async () => {
    const server = await startRedis();
    try {
      const proxy = await startLosingPort(server.port);
      const settings = { ECT_REPLAY: 'redis', ECT_REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
      for (const [write, when] of steps(await countWrites(proxy, settings))) {
        proxy.loseAt(write, when, 2);
        await using service = await startService(settings);
        using client = dial(service.address);
        const { token } = await issue(client);
        // The last writes are those of a service that has just started.
        const state = async () => ({ ...(await methods(service)), turnedAway: proxy.turnedAway });
        await expect.poll(state, { ...SOON, message: `${write} ${when}` }).toEqual({ ...ALL, turnedAway: 2 });
        const verify = () => client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
        expect(await verify()).toMatchObject({ valid: true });
        expect(await verify()).toMatchObject({ valid: false });
        expect(await service.stop()).toBe(0);
      }
    } finally {
      await server.stop();
    }
  });

  test('for good, serves all but the replay check, and ends as asked', async () => {
    const server = await startRedis();
    try {
      const proxy = await startLosingPort(server.port);
      const settings = { ECT_REPLAY: 'redis', ECT_REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
      for (const [write, when] of steps(await countWrites(proxy, settings))) {
        proxy.loseAt(write, when, FOREVER);
        await using service = await startService(settings);
        using client = dial(service.address);
        const { token } = await issue(client);
        const lost = { issues: true, verifies: false };
        await expect.poll(() => methods(service), { ...SOON, message: `${write} ${when}` }).toEqual(lost);
        const verified = client.call(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
        await expect(verified).rejects.toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE' });
        expect(await service.stop()).toBe(0);
      }
    } finally {
      await server.stop();
    }
  });
});

test.each(['direct', 'two-tier'])(
  'L20 D9: a start that loses AWS KMS at whichever step serves all but Issue, and Issue when KMS is back (%s)',
  async (signing) => {
    const { double, settings } = await startTrialKms();
    await using _ = double;
    const proxy = await startLosingPort(Number(new URL(double.url).port));
    const all = { ...settings, ECT_KMS_ENDPOINT: `http://127.0.0.1:${proxy.port}`, ECT_SIGNING: signing };
    for (const [write, when] of steps(await countWrites(proxy, all))) {
      proxy.loseAt(write, when, FOREVER);
      await using service = await startService(all);
      using client = dial(service.address);
      // What KMS has answered by then may be enough.
      const { issues, verifies } = await methods(service);
      expect(verifies).toBe(true);
      if (issues !== true) await expect(issue(client)).rejects.toMatchObject({ reason: 'SIGNER_UNAVAILABLE' });
      proxy.comeBack();
      await expect.poll(() => methods(service), { ...SOON, message: `${write} ${when}` }).toEqual(ALL);
      const { token } = await issue(client);
      const verify = { token, audience: AUDIENCE };
      expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, verify)).toMatchObject({ valid: true });
      expect(await service.stop()).toBe(0);
    }
  },
  FULL ? 600_000 : 120_000,
);
