// A backup beside a running service, while callers record, use tokens and keys change: what was acknowledged before it began is in
// it, and a service over the restored directory goes on with one history.

import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openCheckpoint } from '../../src/ledger/index.ts';
import { verifyConsistency } from '../../src/ledger/verify-proof.ts';
import type { Page } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { rounds } from '../support/full.ts';
import { runMain, startService } from '../support/service-process.ts';
import { AUTHORITY, checkpointOf, issueRecorded, LEDGER, type Task, use } from './installation.ts';

const CALLERS = 16;
const BEFORE = rounds(2_000, 150);
const ROTATE = 'ect.v1.AdminService/RotateKey';
const ADMINS = { ECT_ADMINS: 'anonymous' };

/** Callers that record without a pause. Keys of idempotency are numbered. */
function startLoad(client: GrpcClient) {
  const acknowledged: Task[] = [];
  let isEnding = false;
  let next = 0;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!isEnding) acknowledged.push(await issueRecorded(client, `key-${next++}`));
  });
  return {
    acknowledged,
    async end() {
      isEnding = true;
      await Promise.all(callers);
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The `jti` of every task that is recorded. */
async function recordedIn(client: GrpcClient): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  let page_token = '';
  do {
    const page = await client.call<Page>(`${LEDGER}/ListEntries`, { page_size: 1000, page_token });
    for (const { task } of page.entries) if (task !== undefined) found.add(task.name.jti);
    page_token = page.next_page_token;
  } while (page_token !== '');
  return found;
}

test.each([1, 2])('L19 L30 of a service with %i worker(s) under load, restored', async (workers) => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-online-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [directory, restored] = [join(folder, 'backup'), join(folder, 'restored')];
  await using service = await startService({ ...ADMINS, ECT_WORKERS: String(workers) });
  using client = dial(service.address);
  const { ledger_verifier_key: verifierKey } = await client.call<{ ledger_verifier_key: string }>(
    'ect.v1.KeyService/GetKeySet',
    {},
  );
  const load = startLoad(client);
  await until(() => load.acknowledged.length >= BEFORE);
  const used = load.acknowledged.slice(0, 20);
  for (const { token } of used) expect(await use(client, token)).toMatchObject({ valid: true });
  const before = [...load.acknowledged];
  const checkpoint = await checkpointOf(client);
  const making = runMain(['backup', directory, '--data-dir', service.dataDir, '--json']);
  // A key is announced and in use at once, while the copies are made.
  let isMade = false;
  void making.finally(() => (isMade = true));
  let rotations = 0;
  for (; !isMade; rotations++) await client.call(ROTATE, { urgent: true });
  const { code, stdout, stderr } = await making;
  expect([code, stderr]).toEqual([0, '']);
  expect(rotations).toBeGreaterThan(0);
  await load.end();
  const { treeSize, copiedMs } = JSON.parse(stdout);
  expect(load.acknowledged.length).toBeGreaterThan(before.length);
  expect(await service.stop()).toBe(0);

  expect(await runMain(['restore', directory, '--data-dir', restored])).toMatchObject({ code: 0 });
  const earlier = join(folder, 'checkpoint.txt');
  writeFileSync(earlier, checkpoint);
  const trusted = ['--ledger-key', verifierKey, '--earlier', earlier];
  const audit = await runMain(['audit', join(restored, 'ledger.db'), ...trusted, '--json']);
  expect(JSON.parse(audit.stdout)).toMatchObject({ ok: true, treeSize, faultCount: 0 });

  await using again = await startService({ ...ADMINS, ECT_WORKERS: String(workers), ECT_DATA_DIR: restored });
  using caller = dial(again.address);
  const entries = await recordedIn(caller);
  expect(before.filter(({ jti }) => !entries.has(jti))).toEqual([]);
  // No entry is without its request id: a retry answers the same token, and adds nothing.
  const retried = load.acknowledged.filter(({ jti }) => entries.has(jti));
  await Promise.all(
    retried.map(async ({ key, token }) => expect((await issueRecorded(caller, key)).token, key).toBe(token)),
  );
  expect(await recordedIn(caller)).toEqual(entries);
  // What was used stays used.
  for (const { token } of used)
    expect(await use(caller, token)).toMatchObject({ finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
  // It signs with a key that everybody knows, and its history is that of the checkpoint from before.
  await caller.call(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: ['urn:example:b'] });
  expect(await isContinued(caller, checkpoint, verifierKey)).toBe(true);
  console.info(
    `online, ${workers} worker(s): ${treeSize} entries copied in ${copiedMs} ms; ${before.length} tasks acknowledged before, ${retried.length} of ${load.acknowledged.length} in the backup; ${rotations} rotations`,
  );
});

/** Whether the tree of a checkpoint that was kept is a prefix of the one of now. */
async function isContinued(client: GrpcClient, kept: string, verifierKey: string): Promise<boolean> {
  const [then, now] = [openCheckpoint(kept, verifierKey), openCheckpoint(await checkpointOf(client), verifierKey)];
  if (!then.ok || !now.ok) return false;
  const { hashes } = await client.call<{ hashes: readonly Buffer[] }>(`${LEDGER}/GetConsistencyProof`, {
    first_tree_size: String(then.size),
    second_tree_size: String(now.size),
  });
  return verifyConsistency({
    firstSize: then.size,
    secondSize: now.size,
    firstRoot: then.root,
    secondRoot: now.root,
    hashes,
  });
}
