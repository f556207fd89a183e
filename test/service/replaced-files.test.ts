// The files of the data directory are deleted or replaced under the running service: nothing is acknowledged that the next
// start would not find.

import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status as codes } from '@grpc/grpc-js';
import { describe, expect, test, vi } from 'vitest';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const LONG_MS = 120_000;

function record(client: GrpcClient): Promise<unknown> {
  return client.call(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: ['urn:example:b'], level: 'LEVEL_L3' });
}

async function readiness(service: ServiceProcess): Promise<number> {
  return (await fetch(`${service.url}/readyz`)).status;
}

/** Appends at once, several in a commit. Answers how each of them ended. */
async function appendMany(client: GrpcClient): Promise<readonly unknown[]> {
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => record(client)));
  return calls.map((call) => (call.status === 'fulfilled' ? 'acknowledged' : call.reason));
}

const REFUSED = { code: codes.UNAVAILABLE, reason: 'LEDGER_UNAVAILABLE' };

type Damage = (dataDir: string) => Promise<unknown>;

/** Another file with the same content takes the place of one. */
async function replace(path: string): Promise<void> {
  await writeFile(`${path}.copy`, await readFile(path));
  await rename(`${path}.copy`, path);
}

const DAMAGES: readonly (readonly [string, Damage])[] = [
  ['the directory is deleted', (dataDir) => rm(dataDir, { recursive: true })],
  ['the directory is moved away', (dataDir) => rename(dataDir, `${dataDir}.away`)],
  [
    'the directory is replaced by a copy of itself',
    async (dataDir) => {
      await cp(dataDir, `${dataDir}.copy`, { recursive: true });
      await rename(dataDir, `${dataDir}.away`);
      await rename(`${dataDir}.copy`, dataDir);
    },
  ],
  ['ledger.db is deleted', (dataDir) => rm(join(dataDir, 'ledger.db'))],
  ['ledger.db is replaced by a copy', (dataDir) => replace(join(dataDir, 'ledger.db'))],
  ['ledger.db-wal is deleted', (dataDir) => rm(join(dataDir, 'ledger.db-wal'))],
  ['ledger.db-wal is replaced by a copy', (dataDir) => replace(join(dataDir, 'ledger.db-wal'))],
  ['ledger.db-shm is deleted', (dataDir) => rm(join(dataDir, 'ledger.db-shm'))],
];

describe.each([
  ['one process', '1', DAMAGES],
  ['two workers', '2', DAMAGES.slice(0, 3)],
] as const)('%s', (_, workers, damages) => {
  test.each(damages)(
    'L25 %s: no append is acknowledged from then on, readiness and health say so, reads go on',
    async (_what, damage) => {
      await using service = await startService({ ECT_WORKERS: workers });
      const clients = [dial(service.address), dial(service.address)];
      using client = clients[0]!;
      using other = clients[1]!;
      for (const each of clients) await record(each);
      // Each worker has seen what the others recorded.
      for (const each of clients) await each.call('ect.v1.LedgerService/GetCheckpoint', {});
      await damage(service.dataDir);
      for (const each of clients) {
        for (const outcome of await appendMany(each)) expect(outcome).toMatchObject(REFUSED);
      }
      await vi.waitFor(async () => expect(await readiness(service)).toBe(503), SOON);
      const health = () => other.call('grpc.health.v1.Health/Check', {});
      await vi.waitFor(async () => expect(await health()).toMatchObject({ status: 'NOT_SERVING' }), SOON);
      await vi.waitFor(() => expect(service.events('storage-replaced')[0]).toMatchObject({ level: 'error' }), SOON);
      expect(await client.call('ect.v1.LedgerService/GetEntry', { index: '0' })).toMatchObject({
        entry: { index: '0' },
      });
      expect(await service.stop()).toBe(0);
    },
    LONG_MS,
  );
});

test('L25 the directory that was moved away comes back: appends go on, and nothing that was acknowledged is lost', async () => {
  await using service = await startService();
  using client = dial(service.address);
  await record(client);
  await rename(service.dataDir, `${service.dataDir}.away`);
  await expect(record(client)).rejects.toMatchObject(REFUSED);
  await vi.waitFor(() => expect(service.events('storage-replaced')).toHaveLength(1), SOON);
  expect(await readiness(service)).toBe(503);
  await rename(`${service.dataDir}.away`, service.dataDir);
  await record(client);
  await vi.waitFor(async () => expect(await readiness(service)).toBe(200), SOON);
  await vi.waitFor(() => expect(service.events('storage-in-place')).toHaveLength(1), SOON);
});

test('L25 once.db is replaced: no use of a token and no request id is acknowledged that would be forgotten', async () => {
  await using service = await startService();
  using client = dial(service.address);
  const request = { exec_act: 'a', aud: ['urn:example:b'] };
  const { token } = await client.call<{ token: string }>(`${AUTHORITY}/Issue`, request);
  await replace(join(service.dataDir, 'once.db'));
  const keyed = { ...request, request_id: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' };
  const memo = { code: codes.UNAVAILABLE, reason: 'IDEMPOTENCY_UNAVAILABLE' };
  await expect(client.call(`${AUTHORITY}/Issue`, keyed)).rejects.toMatchObject(memo);
  const verify = client.call(`${AUTHORITY}/Verify`, { token, audience: 'urn:example:b' });
  await expect(verify).rejects.toMatchObject({ code: codes.UNAVAILABLE, reason: 'REPLAY_GUARD_UNAVAILABLE' });
});

test('L26 owner.lock is deleted, so that another service could own the directory: not ready', async () => {
  await using service = await startService();
  await rm(join(service.dataDir, 'owner.lock'));
  await vi.waitFor(async () => expect(await readiness(service)).toBe(503), SOON);
  await vi.waitFor(() => expect(service.events('storage-replaced')).toMatchObject([{ file: 'owner.lock' }]), SOON);
});
