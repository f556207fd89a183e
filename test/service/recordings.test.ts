// Asynchronous L3 through the real process: what was promised with a token is known to every worker, and kept after a crash.
// The ledger is held up by its lock, as by a writer that hangs; the pending recordings are in another file.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { ect } from '../cli/run.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { FULL } from '../support/full.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { expectPending, expectRecorded, issueLater } from './recording-calls.ts';

/** Keeps every process from writing the ledger until it is closed. */
function holdLedger({ dataDir }: ServiceProcess): DatabaseSync {
  const holder = new DatabaseSync(join(dataDir, 'ledger.db'));
  holder.exec('BEGIN IMMEDIATE');
  return holder;
}

async function workersOf({ pid }: ServiceProcess): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

test('L33: a service that is killed right after its answers records what it has promised when it is started again', async () => {
  await using service = await startService();
  const holder = holdLedger(service);
  const before = dial(service.address);
  const issued = await Promise.all(Array.from({ length: 20 }, () => issueLater(before)));
  await expectPending(before, issued[0]!);
  await service.kill();
  before[Symbol.dispose]();
  await service.restart();
  using client = dial(service.address);
  for (const token of issued.slice(0, 5)) await expectPending(client, token);
  holder.close();
  for (const token of issued) await expectRecorded(client, token);
  const outcomes = service.events('background-append').filter(({ outcome }) => outcome === 'failed');
  expect(outcomes).toEqual([]);
  expect(await service.stop()).toBe(0);
  expect(service.events('bug')).toEqual([]);
});

test('L33: of two workers each knows what the other has promised, and carries it out where that one dies', async () => {
  await using service = await startService({ ECT_WORKERS: '2' });
  const holder = holdLedger(service);
  const clients = Array.from({ length: 4 }, () => dial(service.address));
  const issued = await Promise.all(clients.map(issueLater));
  for (const token of issued) for (const client of clients) await expectPending(client, token);
  const [first] = await workersOf(service);
  process.kill(first!, 'SIGKILL');
  // A connection that is handed to it meanwhile is lost with it.
  await expect.poll(() => service.events('worker-ended').length, SOON).toBe(1);
  for (const client of clients) client[Symbol.dispose]();
  holder.close();
  const others = Array.from({ length: 4 }, () => dial(service.address));
  for (const token of issued) for (const client of others) await expectRecorded(client, token);
  for (const client of others) client[Symbol.dispose]();
  expect(await service.stop()).toBe(0);
  expect(service.events('bug')).toEqual([]);
});

test.skipIf(!FULL)('L19: a restored backup records what was promised before it was made', async () => {
  await using service = await startService();
  const holder = holdLedger(service);
  const before = dial(service.address);
  const issued = await Promise.all(Array.from({ length: 10 }, () => issueLater(before)));
  await service.kill();
  before[Symbol.dispose]();
  holder.close();
  const backup = join(service.dataDir, '../backup');
  expect(await ect(['backup', backup, '--data-dir', service.dataDir])).toMatchObject({ code: 0 });
  const restored = join(service.dataDir, '../restored');
  expect(await ect(['restore', backup, '--data-dir', restored])).toMatchObject({ code: 0 });
  await using successor = await startService({ ECT_DATA_DIR: restored });
  using client = dial(successor.address);
  for (const token of issued) await expectRecorded(client, token);
  expect(await successor.stop()).toBe(0);
});
