// Replicas whose clocks differ: the one that is wrong stops, and the others notice nothing.

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Issued, Recorded, Verdict } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { describeWithFakeTime, FakeWallClock } from '../support/fake-time.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { type ServiceProcess, type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const UNTRUSTED = { code: 14, reason: 'CLOCK_UNTRUSTED' };

const issue = (client: GrpcClient, more = {}) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE], ...more });
const append = (client: GrpcClient, token: string) => client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
const verify = (client: GrpcClient, token: string) =>
  client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE, request_id: randomUUID() });
const gauge = async ({ url }: ServiceProcess, name: string) =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1]);

describeWithFakeTime('clocks of replicas', () => {
  describeWithPostgres('over PostgreSQL', () => {
    let server: PostgresServer;
    let folder: string;
    let settings: Settings;
    beforeAll(async () => {
      server = await startPostgres();
      const files = makeReplicaFiles();
      folder = files.folder;
      settings = { ...files.settings, ...(await server.makeDatabase('clocks')) };
    });
    afterAll(async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    });

    test('C8: a replica that is 40 s ahead stops itself before it dates anything, the other goes on, and so does the first once it is right', async () => {
      using clock = new FakeWallClock();
      await using right = await startService(settings);
      using rightClient = dial(right.address);
      const { token } = await issue(rightClient);
      clock.set(40);
      await using wrong = await startService({ ...settings, ...clock.settings });
      using wrongClient = dial(wrong.address);
      await expect(issue(wrongClient)).rejects.toMatchObject({
        ...UNTRUSTED,
        message: expect.stringMatching(/40 s ahead of the clock of the database/),
      });
      await expect(append(wrongClient, token)).rejects.toMatchObject(UNTRUSTED);
      expect(await gauge(wrong, 'ect_clock_doubted')).toBe(1);
      expect(await gauge(wrong, 'ect_clock_ahead_of_database_seconds')).toBeCloseTo(40, 0);
      expect(wrong.events('clock-differs')).toMatchObject([{ aheadSeconds: 40 }]);
      // Verifying goes on, and the clocks of the others stay trusted.
      expect(await verify(wrongClient, token)).toMatchObject({ valid: true });
      expect(await append(rightClient, token)).toMatchObject({ duplicate: false });
      expect(await gauge(right, 'ect_clock_doubted')).toBe(0);
      expect(right.events('clock-differs')).toEqual([]);

      clock.set(0);
      await expect.poll(() => gauge(wrong, 'ect_clock_doubted'), SOON).toBe(0);
      expect((await issue(wrongClient, { level: 'LEVEL_L3' })).token).not.toBe('');
      await expect.poll(() => wrong.events('clock-agrees').length, SOON).toBe(1);
    });

    test('C8: a replica that is late accepts no token whose use the others may have forgotten', async () => {
      // So far apart that a busy machine has many seconds for each step, and less than makes a clock doubted.
      const [lateSeconds, skewSeconds, lifeSeconds] = [25, 10, 5];
      const both = { ...settings, ECT_IAT_MAX_FUTURE_SEC: `${skewSeconds}` };
      using clock = new FakeWallClock();
      clock.set(-lateSeconds);
      await using right = await startService(both);
      await using late = await startService({ ...both, ...clock.settings });
      using rightClient = dial(right.address);
      using lateClient = dial(late.address);
      const { token } = await issue(rightClient, { ttl: { seconds: lifeSeconds } });
      const issuedMs = Date.now();
      expect(await verify(rightClient, token)).toMatchObject({ valid: true });
      // From then on the others may forget the use, while the token has begun and not ended for the one that is late.
      await pause(issuedMs + 1_000 * (lifeSeconds + skewSeconds + 1) - Date.now());
      await server.sql('DELETE FROM ect.once', [], 'clocks');
      await expect(verify(lateClient, token)).rejects.toMatchObject(UNTRUSTED);
    });
  });
});
