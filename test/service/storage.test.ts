// The service on a disk that fills up, and under the quota of a caller: what is rejected, what goes on, what comes back.

import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { FULL } from '../support/full.ts';
import { describeWhen } from '../support/need.ts';
import { type ServiceProcess, type Settings, startService } from '../support/service-process.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../support/small-disk.ts';
import { SOON } from '../support/soon.ts';

/** Health is public, and has a share: who asks all the time is rejected. */
const PUBLIC = { ...SOON, interval: 200 };

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const order = { exec_act: 'review', aud: [AUDIENCE] };

const issue = (client: GrpcClient, more = {}) => client.call<Issued>(`${AUTHORITY}/Issue`, { ...order, ...more });

async function rejectionOf(call: Promise<unknown>): Promise<CallError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CallError)) throw new Error('the call was expected to be rejected');
  return error;
}

/** What the page and health say of appending, and health of the whole instance. */
async function readiness({ url }: ServiceProcess, client: GrpcClient) {
  const page = await fetch(`${url}/readyz`);
  const { methods } = (await page.json()) as { methods: Record<string, boolean> };
  const check = async (service: string) =>
    (await client.call<{ status: string }>('grpc.health.v1.Health/Check', { service })).status;
  return [page.status, methods[`${AUTHORITY}/AppendLedger`], await check(`${AUTHORITY}/AppendLedger`), await check('')];
}

const WELL = [200, true, 'SERVING', 'SERVING'];
const LOW = [200, false, 'NOT_SERVING', 'SERVING'];
/** A large commit fails before a small one: what the service tries itself may still fit, and then the instance is ready. */
const FULL_DISK = [expect.any(Number), false, 'NOT_SERVING', expect.any(String)];

/** What must go on whatever space there is. */
async function expectReadsToGoOn(client: GrpcClient): Promise<void> {
  const { token } = await issue(client);
  const verify = { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' };
  expect(await client.call(`${AUTHORITY}/Verify`, verify)).toMatchObject({ valid: true });
  await client.call('ect.v1.LedgerService/GetCheckpoint', {});
}

/** What is rejected for want of space. */
async function expectWritesToStop(client: GrpcClient): Promise<void> {
  const { token } = await issue(client);
  for (const call of [
    () => client.call(`${AUTHORITY}/AppendLedger`, { token }),
    () => client.call(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE }),
    () => issue(client, { level: 'LEVEL_L3' }),
    () => issue(client, { request_id: randomUUID() }),
  ]) {
    expect((await rejectionOf(call())).info).toMatchObject({ reason: 'STORAGE_FULL' });
  }
}

describe('H27: the quota of a caller', () => {
  test('rejects with the time to wait, and metrics show use and rejections', async () => {
    await using service = await startService({ ECT_CALLER_WRITE_MIB_PER_HOUR: '1' });
    using client = dial(service.address);
    const ext = { ect_ext_json: JSON.stringify({ filler: 'x'.repeat(4000) }), level: 'LEVEL_L3' };
    const flood = async () => {
      for (let turn = 0; turn < 400; turn++) await issue(client, ext);
    };
    const { info } = await rejectionOf(flood());
    expect(info).toMatchObject({ reason: 'QUOTA_EXCEEDED', metadata: { limit: String(1024 * 1024) } });
    const seconds = Number(info?.metadata['retry_after_seconds']);
    // A write of some 7 KB, at 291 bytes a second.
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(60);
    await expectReadsToGoOn(client);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/ect_caller_write_bytes_total\{use="ledger",direction="taken"\} 1\d{6}\n/);
    expect(metrics).toContain('ect_caller_write_refusals_total{use="ledger",reason="QUOTA_EXCEEDED"} 1');
    expect(metrics).toMatch(/ect_caller_write_quota_used_ratio 0\.99\d*/);
    expect(metrics).toMatch(/ect_storage_free_bytes [1-9]/);
  });
});

describe('H27: less free space than is kept in reserve', () => {
  test('writes for callers are rejected, reads, plain tokens and key events go on', async () => {
    // More than any disk of a test has.
    await using service = await startService({ ECT_MIN_FREE_DISK_MIB: '1048576', ECT_ADMINS: 'anonymous' });
    using client = dial(service.address);
    expect(await readiness(service, client)).toEqual(LOW);
    await expectWritesToStop(client);
    await expectReadsToGoOn(client);
    const { kid } = await client
      .call<{ kid: string }>('ect.v1.KeyService/GetKeySet', {})
      .then(async () => issue(client));
    await client.call('ect.v1.AdminService/RotateKey', {});
    await client.call('ect.v1.AdminService/RevokeKey', { kid });
    expect(service.events('storage-low')).toHaveLength(1);
  });
});

describeWhen(CAN_MOUNT, 'L15 L28: a disk that fills up under the service', NEED_TO_MOUNT, () => {
  const limits: [title: string, size: number, settings: Settings, state: readonly unknown[]][] = [
    ['stops where the disk itself does', 48, { ECT_MIN_FREE_DISK_MIB: '0' }, FULL_DISK],
    ['stops at the floor', 128, {}, LOW],
  ];
  // The second takes three times the writes, and `npm test` has a floor in the test before.
  test.each(FULL ? limits : limits.slice(0, 1))(
    'it %s, loses nothing, and goes on by itself once there is space',
    async (_title, size, settings, state) => {
      await using disk = await smallDisk(size, size / 4);
      await using service = await startService({
        ECT_DATA_DIR: disk.file('data'),
        ECT_ADMINS: 'anonymous',
        ...settings,
      });
      using client = dial(service.address);
      expect(await readiness(service, client)).toEqual(WELL);
      const ext = { ect_ext_json: JSON.stringify({ filler: 'x'.repeat(4000) }), level: 'LEVEL_L3' };
      let recorded = 0;
      const flood = async (callers: number) => {
        for (;;) {
          await Promise.all(
            Array.from({ length: callers }, async () => {
              await issue(client, ext);
              recorded++;
            }),
          );
        }
      };
      expect((await rejectionOf(flood(50))).info).toMatchObject({ reason: 'STORAGE_FULL' });
      // What was estimated between two measurements may have been too much, and a large commit fails before a small one.
      while (service.events('storage-low').length === 0) {
        expect((await rejectionOf(flood(1))).info).toMatchObject({ reason: 'STORAGE_FULL' });
      }
      await expect.poll(() => readiness(service, client), PUBLIC).toEqual(state);
      await expectWritesToStop(client);
      await expectReadsToGoOn(client);
      if (!('ECT_MIN_FREE_DISK_MIB' in settings)) await client.call('ect.v1.AdminService/RotateKey', {});

      disk.makeSpace();
      await expect.poll(() => readiness(service, client), PUBLIC).toEqual(WELL);
      await issue(client, ext);
      expect(service.events('bug')).toEqual([]);
      expect(await service.stop()).toBe(0);
      await service.restart();
      using after = dial(service.address);
      const { tree_size: entries } = await after.call<{ tree_size: string }>('ect.v1.LedgerService/GetCheckpoint', {});
      expect(Number(entries)).toBeGreaterThan(recorded);
      await service.kill();
    },
  );
});
