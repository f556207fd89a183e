// Data directories with a history, made by a real service, for tests of backups.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Issued, Receipt, Verdict } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';

export const AUTHORITY = 'ect.v1.AuthorityService';
export const LEDGER = 'ect.v1.LedgerService';
const AUDIENCE = 'urn:example:reviewer';
/** The key is announced, and made active. */
export const KEY_ENTRIES = 2;

/** A task that was issued and recorded under a request id. */
export interface Task {
  readonly key: string;
  readonly token: string;
  readonly jti: string;
  /** Of its receipt. */
  readonly checkpoint: string;
}

/** Issues and records one task under this key; the same key again answers the same token. */
export async function issueRecorded(client: GrpcClient, key: string): Promise<Task> {
  const request = { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3', request_id: key };
  const { token, claims, receipt } = await client.call<Issued & { receipt: Receipt }>(`${AUTHORITY}/Issue`, request);
  return { key, token, jti: claims.jti, checkpoint: receipt.inclusion.checkpoint };
}

/** Uses a token; `valid` only the first time. */
export function use(client: GrpcClient, token: string): Promise<Verdict> {
  return client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
}

export async function checkpointOf(client: GrpcClient): Promise<string> {
  return (await client.call<{ checkpoint: string }>(`${LEDGER}/GetCheckpoint`, {})).checkpoint;
}

/** A stopped installation: its directory, and a copy of that from when it had fewer entries. */
export interface Installation extends AsyncDisposable {
  /** For whatever a test makes. */
  readonly folder: string;
  /** 5 tasks after the entries about the key. */
  readonly dataDir: string;
  /** 3 tasks: of the same history. */
  readonly early: string;
  /** The task whose token was used once. */
  readonly used: Task;
  /** A path in `folder` that nobody else has. */
  readonly path: (name?: string) => string;
  /** A copy of its own of the data directory. */
  readonly copy: () => Promise<string>;
}

/** Costs one start of a service. Directories of one test are copies. */
export async function makeInstallation(): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'ect-backup-'));
  await using service = await startService();
  using client = dial(service.address);
  const tasks: Task[] = [];
  for (let n = 0; n < 3; n++) tasks.push(await issueRecorded(client, `key-${n}`));
  const early = join(folder, 'early');
  await cp(service.dataDir, early, { recursive: true });
  for (let n = 3; n < 5; n++) tasks.push(await issueRecorded(client, `key-${n}`));
  await use(client, tasks[0]!.token);
  await service.stop();
  const dataDir = join(folder, 'data');
  await cp(service.dataDir, dataDir, { recursive: true });
  let next = 0;
  const path = (name = 'dir') => join(folder, `${name}-${next++}`);
  return {
    folder,
    dataDir,
    early,
    used: tasks[0]!,
    path,
    copy: async () => {
      const copy = path('data');
      await cp(dataDir, copy, { recursive: true });
      return copy;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
