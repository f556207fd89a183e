// What is done to a service that runs. Each fault is over when its function returns, and the service is there, ready to recover.

import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from '../../kms-double/faults.ts';
import { type DiskFault, failDisk } from '../support/faulty-disk.ts';
import type { Campaign } from './campaign.ts';
import { limitFiles } from './file-limit.ts';

export type RunningFault = (campaign: Campaign) => Promise<void>;

const HOUR = 3600;
const NOTICE_MS = 30_000;

/** The process is killed at once, the whole service or one worker of it. */
async function kill(campaign: Campaign): Promise<void> {
  await pause(campaign.chance.between(200, 1500));
  await campaign.restart('SIGKILL');
}

async function killWorker(campaign: Campaign): Promise<void> {
  const { workers } = campaign.run;
  if (workers.length === 0) return kill(campaign);
  process.kill(campaign.chance.pick(workers), 'SIGKILL');
  await pause(campaign.chance.between(200, 1500));
}

async function stop(campaign: Campaign): Promise<void> {
  await pause(campaign.chance.between(200, 1500));
  await campaign.restart('SIGTERM');
}

/** Every process stands still for a while; the clock may be set meanwhile. */
async function freeze(campaign: Campaign): Promise<void> {
  const jump = campaign.chance.happens(0.3) ? campaign.chance.pick([-HOUR, HOUR]) : 0;
  campaign.run.signalAll('SIGSTOP');
  await pause(campaign.chance.between(200, 1500));
  if (jump !== 0) campaign.clock?.set(jump);
  await pause(campaign.chance.between(100, 1500));
  campaign.run.signalAll('SIGCONT');
  if (jump !== 0) await pause(1000);
  campaign.clock?.set(0);
}

/** The wall clock jumps and comes back. A service may be killed and started in between. */
async function jumpClock(campaign: Campaign): Promise<void> {
  const { chance, clock } = campaign;
  const seconds = chance.pick([20, -20, 2 * HOUR, -2 * HOUR, 24 * HOUR, -24 * HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR]);
  clock?.set(seconds);
  await pause(chance.between(500, 2500));
  // AWS KMS rejects requests of another time, and the message says to check the clock.
  if (chance.happens(0.4)) await restartAmid(campaign, () => clock?.set(0), /CLOCK_UNTRUSTED|check its clock/);
  clock?.set(0);
}

/** Kills the service while something is wrong around it. It starts all the same, or says what is wrong; then that is `fixed`. */
async function restartAmid(campaign: Campaign, repair: () => void, why: RegExp): Promise<void> {
  await campaign.end(campaign.chance.pick(['SIGKILL', 'SIGTERM']));
  const end = await campaign.tryStart();
  if (end === undefined) {
    campaign.takeLoad();
    await pause(1000);
    return;
  }
  campaign.noteRejection(end);
  if (!why.test(end.words))
    campaign.journal.breaks(`a start ended with ${end.code} and other words than ${why}: ${end.words}`);
  repair();
  await campaign.start();
}

const DISK_FAULTS: readonly DiskFault[] = [
  { calls: 'pwrite64', error: 'EIO' },
  { calls: 'fdatasync', error: 'EIO' },
  { calls: 'pwrite64', error: 'ENOSPC' },
  { calls: 'pwrite64', error: 'EROFS' },
];

/** System calls of every process on one file fail. */
async function failFile(campaign: Campaign): Promise<void> {
  const { chance, run } = campaign;
  const file = chance.pick(['ledger.db-wal', 'ledger.db-wal', 'once.db-wal', 'ledger.db', 'once.db']);
  const fault = chance.pick(DISK_FAULTS);
  campaign.journal.write({ kind: 'detail', file, fault });
  const failing = await Promise.all(run.pids.map((pid) => failDisk(pid, [campaign.file(file)], fault)));
  await pause(chance.between(500, 2500));
  // A process that is killed lets strace go.
  if (chance.happens(0.2)) await campaign.restart('SIGKILL');
  await Promise.all(failing.map((each) => each[Symbol.asyncDispose]()));
}

/** No file may grow (RLIMIT_FSIZE). */
async function limitSize(campaign: Campaign): Promise<void> {
  const { size } = statSync(campaign.file('ledger.db-wal'));
  const lift = limitFiles(campaign.run.pids, size);
  await pause(campaign.chance.between(500, 2500));
  lift();
}

const KMS_FAULTS: readonly Fault[] = [
  { kind: 'error', name: 'ThrottlingException' },
  { kind: 'error', name: 'KMSInternalException' },
  { kind: 'error', name: 'DisabledException' },
  { kind: 'error', name: 'AccessDeniedException' },
  { kind: 'hang' },
  { kind: 'stall' },
  { kind: 'reset' },
  { kind: 'lost' },
  { kind: 'page', status: 200, type: 'text/html', body: '<html>' },
  { kind: 'delay', ms: 700 },
  { kind: 'answer', members: { Signature: 'AAAA' } },
  { kind: 'high-s' },
  { kind: 'other-digest' },
];

async function failKms(campaign: Campaign): Promise<void> {
  const { chance, kms } = campaign;
  const fault = chance.pick(KMS_FAULTS);
  campaign.journal.write({ kind: 'detail', fault });
  kms.script.add(fault, { operation: 'Sign' });
  await pause(chance.between(500, 2000));
  if (chance.happens(0.3)) await restartAmid(campaign, () => kms.script.clear(), /SIGNER_[A-Z_]+/);
  kms.script.clear();
}

/** The service has to notice, and says which file. */
async function expectNotice(campaign: Campaign): Promise<void> {
  const untilMs = performance.now() + NOTICE_MS;
  while (campaign.heard('storage-replaced') === 0) {
    if (performance.now() > untilMs) return campaign.journal.breaks('files were taken away, and nobody noticed');
    await pause(50);
  }
  await pause(campaign.chance.between(100, 1000));
}

/** The directory is moved away and back: the service goes on by itself. */
async function moveDirectory(campaign: Campaign): Promise<void> {
  renameSync(campaign.dataDir, `${campaign.dataDir}.away`);
  await expectNotice(campaign);
  renameSync(`${campaign.dataDir}.away`, campaign.dataDir);
}

/** Nothing moves meanwhile, so that a copy has all that was acknowledged. */
function whileFrozen(campaign: Campaign, work: () => void): void {
  campaign.run.signalAll('SIGSTOP');
  try {
    work();
  } finally {
    campaign.run.signalAll('SIGCONT');
  }
}

/** The directory is deleted. The operator has a copy of that moment, and nothing may have been acknowledged after it. */
async function deleteDirectory(campaign: Campaign): Promise<void> {
  const kept = `${campaign.dataDir}.kept`;
  whileFrozen(campaign, () => {
    execFileSync('cp', ['--archive', campaign.dataDir, kept]);
    rmSync(campaign.dataDir, { recursive: true });
  });
  await expectNotice(campaign);
  await campaign.end(campaign.chance.pick(['SIGKILL', 'SIGTERM']));
  rmSync(campaign.dataDir, { recursive: true, force: true });
  renameSync(kept, campaign.dataDir);
  await campaign.start();
}

/** One file is deleted, or another with the same content takes its place. The database is put back as it was at that moment. */
async function replaceFile(campaign: Campaign): Promise<void> {
  const { chance } = campaign;
  const name = chance.pick(['ledger.db', 'ledger.db-wal', 'ledger.db-shm', 'once.db', 'once.db-wal']);
  const isDeleted = chance.happens(0.5);
  campaign.journal.write({ kind: 'detail', file: name, deleted: isDeleted });
  const path = campaign.file(name);
  const database = filesOf(name);
  const copyOf = (file: string) => join(campaign.folder, `kept-${file}`);
  whileFrozen(campaign, () => {
    for (const file of database) copyFileSync(campaign.file(file), copyOf(file));
    if (isDeleted) rmSync(path);
    else {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    }
  });
  await expectNotice(campaign);
  await campaign.end(chance.pick(['SIGKILL', 'SIGTERM']));
  for (const file of [...database, `${database[0]}-shm`]) rmSync(campaign.file(file), { force: true });
  for (const file of database) renameSync(copyOf(file), campaign.file(file));
  await campaign.start();
}

/** The files of the database that one file is of. SQLite makes its shared memory anew. */
function filesOf(name: string): readonly string[] {
  const [database = ''] = name.split('-');
  return [database, `${database}-wal`];
}

export const RUNNING_FAULTS: Readonly<Record<string, RunningFault>> = {
  kill,
  'kill-worker': killWorker,
  stop,
  freeze,
  'jump-clock': jumpClock,
  'fail-file': failFile,
  'limit-size': limitSize,
  'fail-kms': failKms,
  'move-directory': moveDirectory,
  'delete-directory': deleteDirectory,
  'replace-file': replaceFile,
};
