// A killed service whose ledger is deleted, taken back to an earlier state, or damaged.

import { cp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { type Ended, runMain, type ServiceProcess, startService } from '../support/service-process.ts';

export const AUTHORITY = 'ect.v1.AuthorityService';
export const LONG_MS = 180_000;
/** The key is announced, and made active. */
export const KEY_ENTRIES = 2;

export async function recordMany(client: GrpcClient, count: number): Promise<void> {
  const request = { exec_act: 'a', aud: ['urn:example:b'], level: 'LEVEL_L3' };
  // One after the other: each is a commit, and frames of its own in the write-ahead file.
  for (let n = 0; n < count; n++) await client.call(`${AUTHORITY}/Issue`, request);
}

export function startAgain(service: ServiceProcess): Promise<Ended> {
  return runMain(['serve'], { ECT_DATA_DIR: service.dataDir, ECT_LISTEN: '127.0.0.1:0' });
}

export async function checkpointOf(client: GrpcClient): Promise<string> {
  return (await client.call<{ checkpoint: string }>('ect.v1.LedgerService/GetCheckpoint', {})).checkpoint;
}

/** Everything but the shared memory of SQLite and the introduction of the owner. */
export async function contentsOf(dataDir: string): Promise<readonly string[]> {
  const names = ['ledger.key', 'ledger.mark', 'ledger.db', 'ledger.db-wal', 'once.db', 'signing-key.pem'];
  // A reader makes an empty write-ahead file where there is none.
  const read = (name: string) => readFile(join(dataDir, name), 'base64').catch(() => '');
  return Promise.all(names.map(async (name) => `${name}: ${await read(name)}`));
}

/** A ledger of ten tasks whose process was killed: all of it is in the write-ahead file. `early` is a copy from half way. */
export async function killedService(): Promise<
  ServiceProcess & { readonly early: string; readonly checkpoint: string }
> {
  const service = await startService();
  using client = dial(service.address);
  await recordMany(client, 5);
  const early = `${service.dataDir}.early`;
  // As a snapshot of the volume has it.
  await cp(service.dataDir, early, { recursive: true });
  await recordMany(client, 5);
  const checkpoint = await checkpointOf(client);
  await service.kill();
  return Object.assign(service, { early, checkpoint });
}

export async function removeLedger(dataDir: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rm(join(dataDir, `ledger.db${end}`), { force: true });
}

export async function restoreEarly({
  dataDir,
  early,
}: {
  readonly dataDir: string;
  readonly early: string;
}): Promise<void> {
  await removeLedger(dataDir);
  for (const end of ['', '-wal']) await cp(join(early, `ledger.db${end}`), join(dataDir, `ledger.db${end}`));
}

export async function flipIn(path: string, share: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[Math.floor(bytes.length * share)]! ^= 0x40;
  await writeFile(path, bytes);
}

export async function cut(path: string, share: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.truncate(Math.floor((await file.stat()).size * share));
}

export type Damaged = Awaited<ReturnType<typeof killedService>>;
export const GONE =
  /^ledger\.db in \S+ is missing or empty, but this ledger has shown 12 entries, the last of \S+Z \(ledger\.mark\)\./;
export const SHORTER =
  /^ledger\.db in \S+ holds \d+ entries, but this ledger has shown 12 entries, .*: acknowledged entries are missing\./;
