// One data directory has one owner, for as long as its process lives.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

/** Many starts on a machine that has other work. */
const LONG_MS = 120_000;

/** The process ids of the workers. */
async function workersOf({ pid }: ServiceProcess): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Every file but those that a running service writes by itself: it tries whether its databases can be written, and notes the time. */
async function contentsOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(directory)).filter((name) => !/\.db(?:-wal|-shm)?$|^clock\.json$/.test(name)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), 'base64')] as const)),
  );
}

function tryStart(dataDir: string, settings = {}) {
  return runMain(['serve'], { ECT_DATA_DIR: dataDir, ECT_LISTEN: '127.0.0.1:0', ...settings });
}

describe.each([
  ['one process', {}],
  ['two workers', { ECT_WORKERS: '2' }],
])('an owner of %s', (_, settings) => {
  test.each([
    ['one process', {}],
    ['two workers', { ECT_WORKERS: '2' }],
  ])(
    'L9 L26 a second start of %s is rejected with exit code 2, says by whom, and changes nothing',
    async (_other, more) => {
      await using first = await startService(settings);
      const before = await contentsOf(first.dataDir);
      const { code, stdout, stderr } = await tryStart(first.dataDir, more);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(
          `^The data directory ${first.dataDir} is in use by process ${first.pid} of the host ".+", since ".+Z"\\. ` +
            'Stop that service first, or set ECT_DATA_DIR to another directory\\. ECT_WORKERS gives one service several processes\\.\n$',
        ),
      );
      expect(await contentsOf(first.dataDir)).toEqual(before);
      using client = dial(first.address);
      await client.call('ect.v1.AuthorityService/Issue', { exec_act: 'a', aud: ['urn:example:b'], level: 'LEVEL_L3' });
    },
  );

  test('L9 L26 commands that only read go on beside it', async () => {
    await using first = await startService(settings);
    const ledger = join(first.dataDir, 'ledger.db');
    expect(await runMain(['audit', ledger])).toMatchObject({ code: 0 });
    expect(await runMain(['checkpoint', '--key', '--data-dir', first.dataDir])).toMatchObject({ code: 0 });
    expect(await runMain(['config', 'check'], { ECT_DATA_DIR: first.dataDir })).toMatchObject({ code: 0 });
    // Nor do they take the lock from it.
    expect((await tryStart(first.dataDir)).code).toBe(2);
  });

  test(
    'L9 L26 the lock goes with the process: after SIGKILL and after SIGTERM the next start has it',
    async () => {
      await using first = await startService(settings);
      for (let run = 0; run < 3; run++) {
        await first.kill();
        await first.restart();
      }
      expect(await first.stop()).toBe(0);
      await first.restart();
      expect((await tryStart(first.dataDir)).code).toBe(2);
    },
    LONG_MS,
  );
});

test('L9 L26 where the introduction cannot be written the directory is owned all the same', async () => {
  await using first = await startService();
  await first.kill();
  // Nothing can be written under this name.
  await mkdir(join(first.dataDir, 'owner.json.new'));
  await first.restart();
  const { code, stderr } = await tryStart(first.dataDir);
  expect(code).toBe(2);
  expect(stderr).toContain('is in use by another process.');
});

test('L9 L26 what a killed owner left names a process that lives: that is no owner', async () => {
  await using first = await startService();
  await first.kill();
  const owner = join(first.dataDir, 'owner.json');
  expect(JSON.parse(await readFile(owner, 'utf8'))).toMatchObject({ pid: first.pid });
  expect((await readdir(first.dataDir)).filter((name) => name.startsWith('owner'))).toEqual([
    'owner.json',
    'owner.lock',
  ]);
  // The process id was given to another process: this one.
  await writeFile(owner, JSON.stringify({ pid: process.pid, host: 'here', since: '2026-01-01T00:00:00Z' }));
  await first.restart();
  expect(JSON.parse(await readFile(owner, 'utf8'))).toMatchObject({ pid: first.pid });
});

test('L9 L26 a lock file without owner.json, or with an invalid one, is locked all the same', async () => {
  await using first = await startService();
  const owner = join(first.dataDir, 'owner.json');
  await writeFile(owner, 'no JSON');
  expect((await tryStart(first.dataDir)).stderr).toContain('is in use by another process.');
  await rm(owner);
  expect((await tryStart(first.dataDir)).code).toBe(2);
});

test(
  'L9 L26 of eight starts at once in a new directory one has it',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ect-owner-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const settings = { ECT_DATA_DIR: join(folder, 'data') };
    const starts = await Promise.allSettled(Array.from({ length: 8 }, () => startService(settings)));
    const won = starts.filter((start) => start.status === 'fulfilled').map(({ value }) => value);
    const lost = starts.filter((start) => start.status === 'rejected').map(({ reason }) => String(reason));
    await using stack = new AsyncDisposableStack();
    for (const service of won) stack.use(service);
    expect(won).toHaveLength(1);
    for (const reason of lost) expect(reason).toMatch(/ended with 2 before it listened:\n.*is in use by/);
  },
  LONG_MS,
);

test(
  'L9 L26 workers whose supervisor was killed own the directory until they have ended',
  async () => {
    await using first = await startService({ ECT_WORKERS: '2' });
    const [worker = 0] = await workersOf(first);
    // A worker that cannot see that its supervisor has gone.
    process.kill(worker, 'SIGSTOP');
    try {
      process.kill(first.pid, 'SIGKILL');
      await vi.waitFor(async () => {
        const { code, stderr } = await tryStart(first.dataDir);
        expect(code).toBe(2);
        expect(stderr).toContain('is in use by workers of a service whose supervisor has ended');
      }, SOON);
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    await using next = await startService({ ECT_DATA_DIR: first.dataDir });
    expect((await tryStart(first.dataDir)).stderr).toContain(`process ${next.pid} `);
  },
  LONG_MS,
);

test.each([{}, { ECT_WORKERS: '2' }])(
  'S4 a start removes keys that a killed one left half made, %j',
  async (settings) => {
    await using service = await startService(settings);
    await service.kill();
    const draft = join(service.dataDir, 'signing-key.pem.0123456789ab.new');
    await writeFile(draft, 'a whole key', { mode: 0o600 });
    await service.restart();
    expect(await readdir(service.dataDir)).not.toContain('signing-key.pem.0123456789ab.new');
  },
);
