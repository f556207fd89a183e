// The process on a machine whose wall clock is set while it runs: what is rejected meanwhile, what goes on, and that nothing is
// left of it afterwards.

import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { generateKeyPem } from '../../src/signers/local/index.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { describeWithFakeTime, FakeWallClock } from '../support/fake-time.ts';
import { runMain } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import {
  ADMIN,
  append,
  DAY,
  DIRECT_ACT,
  DOUBTED,
  expectEverythingToWork,
  expectNothingToBeDated,
  HOUR,
  iatOf,
  issue,
  rejectionOf,
  rotate,
  startAt,
  state,
  TIMEOUT_MS,
  TWO_TIERS,
  verify,
  WELL,
  YEAR,
} from './clock-calls.ts';

describeWithFakeTime('C3 the wall clock of the process jumps', () => {
  test.each([
    ['two hours forward', 2 * HOUR, {}],
    ['a year forward', YEAR, TWO_TIERS],
    ['two hours back', -2 * HOUR, {}],
    ['a year back', -YEAR, TWO_TIERS],
  ])(
    '%s: nothing is dated by it, it is said, and afterwards everything goes on, rotation too',
    async (_name, jump, more) => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock, more);
      using client = dial(service.address);
      await expectEverythingToWork(client);
      const before = await issue(client);
      expect(await state(service, client)).toEqual(WELL);

      clock.set(jump);
      // An entry is rejected before anybody has looked at the clock.
      expect((await rejectionOf(append(client, before.token))).reason).toBe('CLOCK_UNTRUSTED');
      await expectNothingToBeDated(client, before);
      await expect.poll(() => state(service, client), SOON).toEqual(DOUBTED);
      // More than the announcement of a key takes.
      await pause(3_000);
      await expectNothingToBeDated(client, before);
      const [doubted] = service.events('clock-doubted');
      expect(doubted).toMatchObject({ level: 'error', against: 'monotonic time' });
      expect(Math.abs(Number(doubted?.['differenceSeconds']) - jump)).toBeLessThan(2);

      clock.set(0);
      await expect.poll(() => state(service, client), SOON).toEqual(WELL);
      await expectEverythingToWork(client);
      await append(client, before.token);
      const rootKid = async () => (await issue(client, { exec_act: DIRECT_ACT })).kid;
      const kid = await rootKid();
      await rotate(client);
      await expect.poll(rootKid, SOON).not.toBe(kid);
      await rotate(client, { urgent: true });
      await expectEverythingToWork(client);
      expect(service.events('clock-believed')).toHaveLength(1);
      expect(service.events('clock-doubted')).toHaveLength(1);
      expect(service.events('bug')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.each([
    ['two hours forward', 2 * HOUR],
    ['a day back', -DAY],
  ])(
    '%s, and is restarted meanwhile: it remembers the time, and comes back when the clock is right',
    async (_name, jump) => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock, TWO_TIERS);
      using first = dial(service.address);
      await expectEverythingToWork(first);
      const before = await issue(first);
      clock.set(jump);
      for (const end of [() => service.kill(), () => service.stop()]) {
        await end();
        await service.restart();
        using second = dial(service.address);
        await expectNothingToBeDated(second, before);
        await expect.poll(() => state(service, second), SOON).toEqual(DOUBTED);
      }
      clock.set(0);
      using third = dial(service.address);
      await expect.poll(() => state(service, third), SOON).toEqual(WELL);
      await expectEverythingToWork(third);
      // One delegated key for each start that could record one: no attempt of the others is in the ledger.
      const { keys } = await third.call<{ keys: readonly unknown[] }>(`${ADMIN}/ListKeys`, { past: true });
      expect(keys.length).toBeLessThanOrEqual(4);
    },
    TIMEOUT_MS,
  );

  test(
    'and it is started meanwhile with another key: nothing can be announced, so it does not start, and says why',
    async () => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock);
      await service.stop();
      clock.set(DAY);
      const keyFile = join(service.dataDir, 'next.pem');
      await writeFile(keyFile, generateKeyPem(), { mode: 0o600 });
      const settings = { ECT_DATA_DIR: service.dataDir, ECT_LOCAL_KEY_FILE: keyFile, ECT_LISTEN: '127.0.0.1:0' };
      const { code, stderr } = await runMain(['serve'], { ...settings, ...clock.settings });
      expect(code).toBe(1);
      expect(stderr).toMatch(/^CLOCK_UNTRUSTED: The wall clock of the service is 86400 s ahead of monotonic time/m);
      expect(stderr).not.toMatch(/^ {4}at /m);
    },
    TIMEOUT_MS,
  );

  test.each([29, -29])(
    'C1 by %i s: that is said once, and nothing is rejected',
    async (jump) => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock);
      using client = dial(service.address);
      for (const seconds of [jump, 0]) {
        clock.set(seconds);
        await expect.poll(async () => iatOf(await issue(client)) - Date.now() / 1000 - seconds, SOON).closeTo(0, 1.5);
        await append(client, (await issue(client)).token);
      }
      await expect.poll(() => service.events('clock-stepped').length, SOON).toBe(2);
      expect(service.events('clock-doubted')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'with several workers, each of which rejects and comes back',
    async () => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock, { ECT_WORKERS: '2' });
      const clients = Array.from({ length: 6 }, () => dial(service.address));
      const before = await issue(clients[0]!);
      clock.set(2 * HOUR);
      await expect.poll(() => new Set(service.events('clock-doubted').map(({ worker }) => worker)).size, SOON).toBe(2);
      for (const client of clients) await expectNothingToBeDated(client, before);
      clock.set(0);
      await expect.poll(() => service.events('clock-believed').length, SOON).toBe(2);
      for (const client of clients) await expectEverythingToWork(client);
      for (const client of clients) client[Symbol.dispose]();
    },
    TIMEOUT_MS,
  );
});

describeWithFakeTime('C4 no jump frees a used token', () => {
  test.each([
    ['an hour', HOUR],
    ['a year', YEAR],
  ])(
    'of %s, nor a restart within it, and a request id stays taken',
    async (_name, jump) => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock);
      const isUsed = async (client: GrpcClient, token: string) =>
        expect(await verify(client, token)).toMatchObject({
          valid: false,
          finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
        });
      using client = dial(service.address);
      const tokens = await Promise.all(Array.from({ length: 20 }, () => issue(client)));
      const keyed = { request_id: randomUUID() };
      const { token: kept } = await issue(client, keyed);
      const [used, others] = [tokens[0]!.token, tokens.slice(1)];
      expect(await verify(client, used)).toMatchObject({ valid: true });

      clock.set(jump);
      await expect.poll(() => service.events('clock-doubted').length, SOON).toBe(1);
      // Each use lets the guard forget what is over, and twice in between it does so by itself.
      for (const { token } of others.slice(0, 9)) expect(await verify(client, token)).toMatchObject({ valid: true });
      await pause(2_500);
      await isUsed(client, used);
      expect((await issue(client, keyed)).token).toBe(kept);

      await service.stop();
      await service.restart();
      using again = dial(service.address);
      for (const { token } of others.slice(9)) expect(await verify(again, token)).toMatchObject({ valid: true });
      await pause(2_500);
      await isUsed(again, used);

      clock.set(0);
      await expect.poll(() => service.events('clock-believed').length, SOON).toBe(1);
      await isUsed(again, used);
      expect((await issue(again, keyed)).token).toBe(kept);
    },
    TIMEOUT_MS,
  );

  test(
    'also where the service is started with a clock that is ahead, and knows nothing but its newest entry',
    async () => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock);
      using client = dial(service.address);
      const { token } = await issue(client, { level: 'LEVEL_L3' });
      expect(await verify(client, token)).toMatchObject({ valid: true });
      await service.stop();
      await rm(join(service.dataDir, 'clock.json'));
      clock.set(2 * HOUR);
      await service.restart();
      using ahead = dial(service.address);
      // It may have been off for two hours, so it goes on. What was used is kept all the same.
      expect(iatOf(await issue(ahead)) - Date.now() / 1000).toBeGreaterThan(2 * HOUR - 60);
      for (let use = 0; use < 10; use++) await verify(ahead, (await issue(ahead)).token);
      await pause(2_500);
      await service.stop();
      await rm(join(service.dataDir, 'clock.json'));
      clock.set(0);
      await service.restart();
      using right = dial(service.address);
      expect(await verify(right, token)).toMatchObject({
        valid: false,
        finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
      });
    },
    TIMEOUT_MS,
  );
});

describeWithFakeTime('C2 a process that was stopped', () => {
  test(
    'goes on as if nothing had been, and where the clock was set meanwhile it says so',
    async () => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock);
      using client = dial(service.address);
      const stopFor = async (ms: number, during: () => void = () => undefined) => {
        process.kill(service.pid, 'SIGSTOP');
        await pause(ms / 2);
        during();
        await pause(ms / 2);
        process.kill(service.pid, 'SIGCONT');
      };
      await stopFor(4_000);
      await expectEverythingToWork(client);
      expect(service.events('clock-doubted')).toEqual([]);
      await stopFor(1_000, () => clock.set(HOUR));
      expect((await rejectionOf(issue(client, { level: 'LEVEL_L3' }))).reason).toBe('CLOCK_UNTRUSTED');
      await stopFor(1_000, () => clock.set(0));
      await expect.poll(() => service.events('clock-believed').length, SOON).toBe(1);
      await expectEverythingToWork(client);
    },
    TIMEOUT_MS,
  );
});

describeWithFakeTime('C3 a start with a clock that is far behind the newest entry', () => {
  test(
    'is evident: the time goes on from the entry, and the clock is trusted when it is right',
    async () => {
      using clock = new FakeWallClock();
      await using service = await startAt(clock);
      using client = dial(service.address);
      await issue(client, { level: 'LEVEL_L3' });
      const before = await issue(client);
      await service.stop();
      await rm(join(service.dataDir, 'clock.json'));
      clock.set(-YEAR);
      await service.restart();
      using behind = dial(service.address);
      await expectNothingToBeDated(behind, before);
      expect(service.events('clock-doubted')).toMatchObject([{ against: 'the newest entry' }]);
      clock.set(0);
      await expect.poll(() => service.events('clock-believed').length, SOON).toBe(1);
      await expectEverythingToWork(behind);
    },
    TIMEOUT_MS,
  );
});
