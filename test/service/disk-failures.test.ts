// The service on a disk that fails: what readiness and health say follows what really becomes of writes, and writing goes on
// without a restart once the disk answers again.

import { randomUUID } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { MarkFile } from '../../src/stores/mark-file.ts';
import type { Issued } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { type DiskFault, failDisk } from '../support/faulty-disk.ts';
import { describeWith } from '../support/need.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const order = { exec_act: 'review', aud: ['urn:example:reviewer'] };
const record = (client: GrpcClient) => client.call<Issued>(`${AUTHORITY}/Issue`, { ...order, level: 'LEVEL_L3' });

/** What an orchestrator and a load balancer hear. */
async function pageReadiness({ url }: ServiceProcess) {
  const page = await fetch(`${url}/readyz`);
  const { checks } = (await page.json()) as { checks: { storage: boolean } };
  return [page.status, checks.storage];
}

async function readiness(service: ServiceProcess, client: GrpcClient) {
  const { status } = await client.call<{ status: string }>('grpc.health.v1.Health/Check', { service: '' });
  return [...(await pageReadiness(service)), status];
}

const WELL = [200, true, 'SERVING'];
const DOWN = [503, false, 'NOT_SERVING'];

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'answered',
    (error: unknown) => {
      if (error instanceof CallError) return error.info?.reason ?? 'no reason';
      throw error;
    },
  );
}

/** Entries that answered, and each of which must be there in the end. */
async function expectRecorded(service: ServiceProcess, recorded: number): Promise<void> {
  using client = dial(service.address);
  const { tree_size: size } = await client.call<{ tree_size: string }>('ect.v1.LedgerService/GetCheckpoint', {});
  expect(Number(size)).toBeGreaterThanOrEqual(recorded);
}

const EIO_WRITE: DiskFault = { calls: 'pwrite64', error: 'EIO' };
const EIO_SYNC: DiskFault = { calls: 'fdatasync', error: 'EIO' };
const FULL: DiskFault = { calls: 'pwrite64', error: 'ENOSPC' };
const READ_ONLY: DiskFault = { calls: 'pwrite64', error: 'EROFS' };

describeWith('strace', 'L2 L28: a disk that fails under the service', () => {
  test.each([
    ['EIO where the ledger is written', EIO_WRITE, 'ledger.db-wal', 'LEDGER_UNAVAILABLE'],
    ['EIO where the ledger is synced', EIO_SYNC, 'ledger.db-wal', 'LEDGER_UNAVAILABLE'],
    ['a file system that became read-only', READ_ONLY, 'ledger.db-wal', 'LEDGER_UNAVAILABLE'],
    ['a full disk', FULL, 'ledger.db-wal', 'STORAGE_FULL'],
    ['EIO where uses of tokens are written', EIO_WRITE, 'once.db-wal', 'answered'],
    ['EIO where uses of tokens are synced', EIO_SYNC, 'once.db-wal', 'answered'],
  ])(
    '%s: not ready while it lasts, ready and writing after it, and nothing is lost',
    async (_, fault, file, outcome) => {
      await using service = await startService();
      using client = dial(service.address);
      let recorded = 0;
      for (; recorded < 3; recorded++) await record(client);
      expect(await readiness(service, client)).toEqual(WELL);
      {
        await using _failing = await failDisk(service.pid, [join(service.dataDir, file)], fault);
        // Nobody writes: the service itself finds out.
        await expect.poll(() => readiness(service, client), SOON).toEqual(DOWN);
        expect(await outcomeOf(record(client))).toBe(outcome);
        if (outcome === 'answered') recorded++;
        // What is surely on the disk is read on.
        await client.call('ect.v1.LedgerService/GetCheckpoint', {});
        expect(await readiness(service, client)).toEqual(DOWN);
      }
      await expect.poll(() => readiness(service, client), SOON).toEqual(WELL);
      for (let more = 0; more < 3; more++, recorded++) await record(client);
      const failures = service.events('storage-failed');
      expect(failures.length).toBeGreaterThan(0);
      expect(failures.every((event) => event['file'] === file.replace('-wal', ''))).toBe(true);
      await expect.poll(() => service.events('storage-writable').length, SOON).toBeGreaterThan(0);
      expect(service.events('bug')).toEqual([]);
      expect(await (await fetch(`${service.url}/metrics`)).text()).toMatch(/ect_storage_failures_total\{file=.* [1-9]/);
      await service.kill();
      await service.restart();
      await expectRecorded(service, recorded);
      await service.stop();
    },
  );

  test('EIO where the high-water mark is synced: nothing is acknowledged while it lasts, and everything after it', async () => {
    await using service = await startService();
    using client = dial(service.address);
    const state = async () => [(await fetch(`${service.url}/readyz`)).status, await outcomeOf(record(client))];
    expect(await state()).toEqual([200, 'answered']);
    {
      await using _failing = await failDisk(service.pid, [join(service.dataDir, 'ledger.mark')], EIO_SYNC);
      await expect.poll(state, SOON).toEqual([503, 'LEDGER_UNAVAILABLE']);
    }
    await expect.poll(state, SOON).toEqual([200, 'answered']);
    const checkpoint = await client.call<{ checkpoint: string }>('ect.v1.LedgerService/GetCheckpoint', {});
    await service.kill();
    // What was shown after it is in the mark.
    const kept = MarkFile.read(join(service.dataDir, 'ledger.mark'));
    expect(kept.map((page) => page.checkpoint)).toContain(checkpoint.checkpoint);
    await service.restart();
    await service.stop();
  });

  test('a sync that fails while entries are recorded takes back nothing that was acknowledged', async () => {
    await using service = await startService();
    using client = dial(service.address);
    let recorded = 0;
    let isOver = false;
    const flood = async () => {
      while (!isOver) if ((await outcomeOf(record(client))) === 'answered') recorded++;
    };
    const callers = Array.from({ length: 8 }, flood);
    for (let turn = 0; turn < 2; turn++) {
      await using _failing = await failDisk(service.pid, [join(service.dataDir, 'ledger.db-wal')], EIO_SYNC);
      await expect.poll(() => readiness(service, client), SOON).toEqual(DOWN);
      await _failing[Symbol.asyncDispose]();
      await expect.poll(() => readiness(service, client), SOON).toEqual(WELL);
    }
    isOver = true;
    await Promise.all(callers);
    expect(recorded).toBeGreaterThan(0);
    await service.kill();
    await service.restart();
    await expectRecorded(service, recorded);
    await service.stop();
  });
});

describeWith('strace', 'L2 L28: a disk that loses what it failed to sync', () => {
  test('the process ends with exit code 3, and the next one continues with all acknowledged entries', async () => {
    await using service = await startService();
    using client = dial(service.address);
    let recorded = 0;
    for (; recorded < 3; recorded++) await record(client);
    const wal = join(service.dataDir, 'ledger.db-wal');
    {
      await using _failing = await failDisk(service.pid, [wal], EIO_SYNC);
      const acknowledged = (await stat(wal)).size;
      expect(await outcomeOf(record(client))).toBe('LEDGER_UNAVAILABLE');
      const { size } = await stat(wal);
      expect(size).toBeGreaterThan(acknowledged);
      // As if the pages had been dropped from the cache: what is read is what was on the disk before.
      await using file = await open(wal, 'r+');
      await file.write(Buffer.alloc(size - acknowledged), 0, size - acknowledged, acknowledged);
    }
    await expect.poll(() => service.events('storage-lost').length, SOON).toBe(1);
    expect(await service.ended()).toBe(3);
    await service.restart();
    // The scrub may have met the lost pages first.
    await expect.poll(() => pageReadiness(service), SOON).toEqual([200, true]);
    using after = dial(service.address);
    await record(after);
    await expectRecorded(service, recorded + 1);
    await service.stop();
  });
});

describeWith('strace', 'L28: the thread that moves pages', () => {
  test('its failures are reported and counted, the service is not ready, and recovers when pages can be moved', async () => {
    await using service = await startService();
    using client = dial(service.address);
    const ext = { ...order, level: 'LEVEL_L3', ect_ext_json: JSON.stringify({ filler: 'x'.repeat(4000) }) };
    const moves = () => service.events('storage-failed').filter(({ stage }) => stage === 'move');
    {
      // Only the main file fails: commits go into the write-ahead file.
      await using _failing = await failDisk(service.pid, [join(service.dataDir, 'ledger.db')], EIO_WRITE);
      // 16 MiB must wait before they are moved.
      for (let turn = 0; moves().length === 0 && turn < 200; turn++) {
        await Promise.all(Array.from({ length: 32 }, () => client.call(`${AUTHORITY}/Issue`, ext)));
      }
      expect(moves()).toMatchObject([{ file: 'ledger.db' }]);
      await expect.poll(() => readiness(service, client), SOON).toEqual(DOWN);
      expect(await outcomeOf(record(client))).toBe('answered');
    }
    await expect.poll(() => readiness(service, client), SOON).toEqual(WELL);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/ect_storage_failures_total\{file="ledger.db",stage="move"\} [1-9]/);
    await service.stop();
  });

  test.each(['ledger.db', 'once.db'])(
    'EIO where %s is read counts as damage until all of it was examined',
    async (file) => {
      await using service = await startService({ ECT_LEDGER_SCRUB_PER_SEC: '100000' });
      const use = async () => {
        using client = dial(service.address);
        const issued = client.call<Issued>(`${AUTHORITY}/Issue`, {
          ...order,
          level: 'LEVEL_L3',
          request_id: randomUUID(),
        });
        return await outcomeOf(issued);
      };
      expect(await use()).toBe('answered');
      await service.stop();
      await service.restart();
      {
        const fault: DiskFault = { calls: 'pread64', error: 'EIO' };
        await using _failing = await failDisk(service.pid, [join(service.dataDir, file)], fault);
        // What another connection has written makes what this one has read stale: it is read again.
        const other = new DatabaseSync(join(service.dataDir, file));
        const version = other.prepare('PRAGMA user_version').get()?.['user_version'];
        other.exec(`PRAGMA user_version=${Number(version)}`);
        other.close();
        await expect.poll(use, SOON).not.toBe('answered');
        await expect.poll(() => pageReadiness(service), SOON).toEqual(DOWN.slice(0, 2));
      }
      await expect
        .poll(async () => [...(await pageReadiness(service)), await use()], SOON)
        .toEqual([200, true, 'answered']);
      expect(service.events('bug')).toEqual([]);
      expect(await service.stop()).toBe(0);
    },
  );

  test('EIO where the ledger is read: the scrub meets it, and says so', async () => {
    await using service = await startService({ ECT_LEDGER_SCRUB_PER_SEC: '100000' });
    using client = dial(service.address);
    for (let turn = 0; turn < 3; turn++) await record(client);
    await service.stop();
    await service.restart();
    using again = dial(service.address);
    {
      const fault: DiskFault = { calls: 'pread64', error: 'EIO' };
      await using _failing = await failDisk(service.pid, [join(service.dataDir, 'ledger.db')], fault);
      await expect.poll(() => readiness(service, again), SOON).toEqual(DOWN);
    }
    await expect.poll(() => readiness(service, again), SOON).toEqual(WELL);
    expect(service.events('storage-damaged')).toEqual([]);
    await service.stop();
  });
});

describe('L28: readiness of a service that nothing is wrong with', () => {
  test('an idle service stays ready, and says which checks hold', async () => {
    await using service = await startService();
    const page = await fetch(`${service.url}/readyz`);
    expect(await page.json()).toMatchObject({ ready: true, checks: { ledger: true, storage: true, integrity: true } });
    await service.stop();
  });
});
