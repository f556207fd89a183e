// A file is durable when its name is too: the directory that the name is in has been synced. Seen from outside, by the system
// calls of the real process.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeWith } from '../support/need.ts';
import { MAIN, startService } from '../support/service-process.ts';

const CALLS = 'openat,mkdir,link,rename,fsync,unlink,write';

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ect-names-'));
});
afterEach(async () => {
  await endTraced();
  rmSync(folder, { recursive: true });
});

/** Runs `node src/main.ts` under strace. */
function trace(args: readonly string[], dataDir: string): ChildProcess {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, HOME, NODE_COMPILE_CACHE, ECT_DATA_DIR: dataDir, ECT_LISTEN: '127.0.0.1:0' };
  const options = ['-f', '-y', '-qq', '-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', join(folder, 'trace')];
  child = spawn('strace', [...options, process.execPath, MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  return child;
}

/** The process that is traced has to be killed: strace would only let it go. */
async function endTraced(): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  const traced = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  process.kill(Number(traced.split(' ')[0]), 'SIGKILL');
  await closed;
}

/** What happened, in order: `makes <path>`, `syncs <path>`, `removes <path>`, `says <text>`. */
function happenings(): readonly string[] {
  const lines = readFileSync(join(folder, 'trace'), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const made =
      /openat\(.*?"([^"]+)", [A-Z_|]*O_CREAT/.exec(line) ??
      /mkdir\("([^"]+)"/.exec(line) ??
      /(?:link|rename)\("[^"]+", "([^"]+)"/.exec(line);
    if (made !== null && !line.includes(' = -1 ')) return [`makes ${made[1]}`];
    const synced = /fsync\(\d+<([^>]+)>/.exec(line);
    if (synced !== null) return [`syncs ${synced[1]}`];
    const removed = /unlink\("([^"]+)"\) += 0/.exec(line);
    if (removed !== null) return [`removes ${removed[1]}`];
    return line.includes('"listening on ') ? ['says listening'] : [];
  });
}

/** Fails unless the name of a path was synced after it was first made, and before something else happens. */
function expectDurableBefore(all: readonly string[], path: string, end: number): void {
  const made = all.indexOf(`makes ${path}`);
  expect(made, `makes ${path}`).toBeGreaterThanOrEqual(0);
  const synced = all.indexOf(`syncs ${dirname(path)}`, made);
  expect(synced, `syncs the name of ${path}`).toBeGreaterThan(made);
  expect(synced, `syncs the name of ${path} in time`).toBeLessThan(end);
}

const FILES = ['signing-key.pem', 'ledger.key', 'ledger.db', 'ledger.db-wal', 'ledger.mark', 'once.db'];

describeWith('strace', 'L5 names that a crash of the machine must not take away', () => {
  test('L5 the first start syncs the name of every file, and of each directory that it makes, before it listens', async () => {
    const dataDir = join(folder, 'above/data');
    const { stdout } = trace(['serve'], dataDir);
    await once(createInterface({ input: stdout! }), 'line');
    await endTraced();
    const all = happenings();
    const listens = all.indexOf('says listening');
    for (const path of [dirname(dataDir), dataDir, ...FILES.map((name) => join(dataDir, name))]) {
      expectDurableBefore(all, path, listens);
    }
  });

  test('L5 `ect ledger new-origin` takes nothing away before what it keeps is on the disk', async () => {
    await using service = await startService();
    await service.kill();
    rmSync(join(service.dataDir, 'ledger.db'));
    rmSync(join(service.dataDir, 'ledger.db-wal'));
    await once(trace(['ledger', 'new-origin', '--data-dir', service.dataDir, '--yes'], service.dataDir), 'close');
    expect(child?.exitCode).toBe(0);
    const all = happenings();
    const removal = all.indexOf(`removes ${join(service.dataDir, 'ledger.key')}`);
    expect(removal).toBeGreaterThan(0);
    const kept = all.find((what) => /^makes .*\/old-ledger-[0-9TZ]+$/.test(what))?.slice('makes '.length) ?? '';
    for (const path of [kept, join(kept, 'ledger.key'), join(kept, 'ledger.mark')]) {
      expectDurableBefore(all, path, removal);
    }
  });
});
