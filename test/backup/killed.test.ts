// A backup that is ended half way, at any moment, leaves nothing that looks like one; the next one to its place is made all the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ect } from '../cli/run.ts';
import { rounds } from '../support/full.ts';
import { randomNumbers, SEED } from '../support/random.ts';
import { MAIN } from '../support/service-process.ts';
import { makeLedger } from './ledgers.ts';

const TASKS = 3_000;
const ROUNDS = rounds(20, 4);
let folder = '';
let dataDir = '';
let entries = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-killed-'));
  dataDir = join(folder, 'data');
  entries = await makeLedger(dataDir, TASKS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A backup in a process of its own, and the moment at which the first thing of it is on the disk. */
async function startBackup(directory: string) {
  const child = spawn(process.execPath, [MAIN, 'backup', directory, '--data-dir', dataDir], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  while (!existsSync(`${directory}.new`) && child.exitCode === null) await pause(1);
  return { child, exit, sinceMs: performance.now() };
}

test('L19 killed at any moment, it is not there, or whole', async () => {
  const whole = await startBackup(join(folder, 'whole'));
  expect(await whole.exit).toEqual([0, null]);
  const workMs = performance.now() - whole.sinceMs;
  const random = randomNumbers(SEED);
  const found = { none: 0, whole: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const directory = join(folder, `killed-${round}`);
    const { child, exit } = await startBackup(directory);
    await pause(((round + random()) * workMs) / ROUNDS);
    child.kill('SIGKILL');
    await exit;
    // Between the last step and the name: it is whole, and a backup to this place says so.
    if (existsSync(join(`${directory}.new`, 'backup.json')) && !existsSync(join(`${directory}.new`, 'unfinished'))) {
      expect(await ect(['backup', directory, '--data-dir', dataDir])).toMatchObject({ code: 1 });
      await rename(`${directory}.new`, directory);
    }
    if (!existsSync(directory)) {
      found.none += 1;
      expect(await ect(['restore', `${directory}.new`, '--data-dir', join(folder, 'x')])).toMatchObject({ code: 1 });
      expect(await ect(['backup', directory, '--data-dir', dataDir])).toMatchObject({ code: 0 });
    } else {
      found.whole += 1;
    }
    expect(existsSync(`${directory}.new`)).toBe(false);
    const restored = join(folder, `restored-${round}`);
    const { code, out } = await ect(['restore', directory, '--data-dir', restored, '--json']);
    expect([code, JSON.parse(out).treeSize]).toEqual([0, String(entries)]);
    for (const path of [directory, restored]) await rm(path, { recursive: true });
  }
  console.info(`killed: seed ${SEED}, of ${ROUNDS} within ${Math.round(workMs)} ms`, found);
  expect(found.none).toBeGreaterThan(0);
});

test.each(['SIGTERM', 'SIGINT'] as const)('L19 %s takes away what there is of it, keys among it', async (signal) => {
  const before = readdirSync(folder).sort();
  const directory = join(folder, signal);
  const { child, exit } = await startBackup(directory);
  while (!existsSync(join(`${directory}.new`, 'ledger.db')) && child.exitCode === null) await pause(1);
  child.kill(signal);
  expect(await exit).toEqual([null, signal]);
  expect(readdirSync(folder).sort()).toEqual(before);
});
