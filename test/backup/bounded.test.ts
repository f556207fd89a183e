// A backup ends however much is written meanwhile.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { filesIn } from '../../src/data-directory/data-dir.ts';
import { copyLedger } from '../../src/stores/sqlite/index.ts';
import { rounds } from '../support/full.ts';
import { runMain } from '../support/service-process.ts';
import { makeLedger } from './ledgers.ts';

/** A copy takes a tenth of a second; one that is begun anew at each commit never ends. */
const GIVE_UP_MS = 20_000;
/** A tenth of a second to copy; the ledger is written every few milliseconds. */
const TASKS = rounds(100_000, 15_000);

test('L19 L30 under a writer that never rests a backup ends, and has what was recorded before it began', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-bounded-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  const entries = await makeLedger(dataDir, TASKS);
  const writer = startWriter(dataDir);
  const before = await writer.sizeAbove(entries);
  const { code, stdout, stderr } = await runMain(['backup', join(folder, 'backup'), '--data-dir', dataDir, '--json']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const { treeSize, copiedMs } = JSON.parse(stdout);
  expect(Number(treeSize)).toBeGreaterThanOrEqual(before);
  const after = writer.size();
  console.info(
    `bounded: ${entries} entries copied in ${copiedMs} ms, ${after - before} recorded until it was verified`,
  );
  // It was written all the time: what is in the backup is a moment of that.
  expect(after).toBeGreaterThan(Number(treeSize));
  await writer.end();
});

test('L30 between any two moments of a copy another connection commits, and the copy is never begun anew', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-bounded-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dir = filesIn(join(folder, 'data'));
  await makeLedger(dir.path, 5_000);
  const writer = new DatabaseSync(dir.ledger, { timeout: 10_000 });
  writer.exec('PRAGMA synchronous=OFF');
  const { user_version: version } = writer.prepare('PRAGMA user_version').get() as { user_version: number };
  let isCopied = false;
  const copying = copyLedger(dir.ledger, join(folder, 'copy.db')).then(() => {
    isCopied = true;
  });
  const giveUpMs = performance.now() + GIVE_UP_MS;
  let commits = 0;
  for (; !isCopied && performance.now() < giveUpMs; commits++) {
    // SQLite writes the page that holds it whether it is another one or not.
    writer.exec(`PRAGMA user_version=${version}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  writer.close();
  await copying;
  console.info(`${commits} commits while ${statSync(dir.ledger).size} bytes were copied`);
  expect(performance.now()).toBeLessThan(giveUpMs);
  expect(commits).toBeGreaterThan(0);
});

function startWriter(dataDir: string) {
  const script = fileURLToPath(new URL('writer-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let size = 0;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    size = Number(line);
  });
  return {
    size: () => size,
    async sizeAbove(least: number) {
      while (size <= least) await once(lines, 'line');
      return size;
    },
    async end() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}
