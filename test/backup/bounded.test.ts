// A backup ends however much is written meanwhile.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { rounds } from '../support/full.ts';
import { runMain } from '../support/service-process.ts';
import { makeLedger } from './ledgers.ts';

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
