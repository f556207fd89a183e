// Signals, as npm, terminals, containers and impatient people send them: what ends, how, and what is left.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import { describeWith } from '../support/need.ts';
import { groupOf } from '../support/process-group.ts';
import { MAIN, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ISSUE = 'ect.v1.AuthorityService/Issue';
const ORDER = { exec_act: 'review', aud: ['urn:example:reviewer'] };

const until = (holds: () => void | Promise<void>) => vi.waitFor(holds, SOON);

interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
}

/** Groups that a test has started, so that nothing is left whatever happens. */
const groups = new Set<number>();
afterEach(async () => {
  for (const pgid of groups) if ((await groupOf(pgid)).length > 0) process.kill(-pgid, 'SIGKILL');
  groups.clear();
});

/** Starts a command in a process group of its own, and waits until the service in it listens. */
async function startGroup(
  command: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const env = { ...cleanEnv(), ECT_LISTEN: '127.0.0.1:0', ECT_STORE: 'memory', ECT_LOG_LEVEL: 'warn', ...settings };
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = child.pid ?? 0;
  groups.add(pid);
  let written = '';
  for (const output of [child.stdout, child.stderr]) output.on('data', (chunk) => (written += String(chunk)));
  await until(() => expect(written).toMatch(/listening on http:\S+\n/));
  return { child, pid, url: /listening on (\S+)/.exec(written)?.[1] ?? '' };
}

const npmCache = mkdtempSync(join(tmpdir(), 'ect-npm-'));
afterAll(() => rm(npmCache, { recursive: true, force: true }));

/** Tests may themselves run under npm; what it says of that must not reach the npm under test. */
function cleanEnv(): Record<string, string | undefined> {
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  return { PATH: path, HOME: process.env['HOME'], npm_config_offline: 'true', npm_config_cache: npmCache };
}

describe.runIf(process.platform === 'linux')('under npm', () => {
  test.each([[['npm', 'start']], [['npm', 'run', 'ect', '--', 'serve']]] as const)(
    'SIGTERM to %j alone ends the service too',
    async (command) => {
      const { child, pid } = await startGroup(command);
      const exit = once(child, 'exit');
      process.kill(pid, 'SIGTERM');
      expect(await exit).toEqual([0, null]);
      await until(async () => expect(await groupOf(pid)).toEqual([]));
    },
  );

  test.each(
    (['SIGHUP', 'SIGUSR2', 'SIGQUIT', 'SIGKILL'] as const).flatMap((signal) => [
      [signal, ['npm', 'start'], '1'] as const,
      [signal, ['npm', 'run', 'ect', '--', 'serve'], '2'] as const,
    ]),
  )(
    '%s to npm, which does not hand it on, leaves no service behind: %j, %s worker(s)',
    async (signal, command, workers) => {
      const folder = await mkdtemp(join(tmpdir(), 'ect-signals-'));
      const settings = { ECT_WORKERS: workers, ECT_STORE: 'sqlite', ECT_DATA_DIR: folder, ECT_LOG_LEVEL: 'info' };
      const { child, pid } = await startGroup(command, settings);
      let said = '';
      child.stderr?.on('data', (chunk) => (said += String(chunk)));
      process.kill(pid, signal);
      await until(async () => expect(await groupOf(pid)).toEqual([]));
      // In order, as by SIGTERM.
      expect(said).toContain('"event":"stopped"');
      await rm(folder, { recursive: true, force: true });
    },
  );

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s to the whole group, which npm passes on once more, is one request: calls in flight are answered',
    async (signal) => {
      for (const workers of ['1', '2']) {
        const folder = await mkdtemp(join(tmpdir(), 'ect-signals-'));
        const settings = { ECT_WORKERS: workers, ECT_STORE: 'sqlite', ECT_DATA_DIR: folder };
        const { child, pid, url } = await startGroup(['npm', 'start'], settings);
        using client = dial(new URL(url).host);
        await client.call(ISSUE, ORDER);
        const exit = once(child, 'exit');
        const calls = Array.from({ length: 20 }, () => client.call(ISSUE, { ...ORDER, level: 'LEVEL_L3' }));
        const started = Promise.allSettled(calls);
        await Promise.any(calls);
        process.kill(-pid, signal);
        expect(await exit).toEqual([0, null]);
        const reasons = (await started).flatMap((call) => (call.status === 'rejected' ? [String(call.reason)] : []));
        for (const reason of reasons) expect(reason).toContain('SERVICE_DRAINING');
        await until(async () => expect(await groupOf(pid)).toEqual([]));
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});

describe.runIf(process.platform === 'linux')('a person who does not want to wait', () => {
  test.each(['1', '2'])(
    'L17 a second signal, later than a second, ends %s worker(s) at once with 1',
    async (workers) => {
      const folder = await mkdtemp(join(tmpdir(), 'ect-signals-'));
      const { child, pid, url } = await startGroup([process.execPath, MAIN, 'serve'], {
        ECT_WORKERS: workers,
        ECT_STORE: 'sqlite',
        ECT_DATA_DIR: folder,
      });
      const { hostname, port } = new URL(url);
      // A request that never ends holds its connection, and so the process, for the whole grace.
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write(
        'POST /ect.v1.AuthorityService/Issue HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      );
      await fetch(`${url}/healthz`);
      const exit = once(child, 'exit');
      // A second signal within a second is the same request, which npm or the terminal has forwarded.
      process.kill(pid, 'SIGTERM');
      process.kill(pid, 'SIGINT');
      await pause(1_300);
      expect(child.exitCode).toBeNull();
      process.kill(pid, 'SIGINT');
      // At the end of the grace period it would exit with 0.
      expect(await exit).toEqual([1, null]);
      socket.destroy();
      await until(async () => expect(await groupOf(pid)).toEqual([]));
      await rm(folder, { recursive: true, force: true });
    },
  );
});

test('SIGHUP and SIGUSR2 end no service of one worker, not even one without a file to reload', async () => {
  await using service = await startService({ ECT_STORE: 'memory' });
  using client = dial(service.address);
  for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGHUP'] as const) {
    process.kill(service.pid, signal);
    await client.call(ISSUE, ORDER);
  }
  expect(await service.stop()).toBe(0);
});

/** Runs a service on a terminal of its own, and does to it what stands in `then`. Prints how the service ended. */
const ON_A_TERMINAL = `
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b''
while b'listening on' not in seen:
    seen += os.read(terminal, 4096)
os.kill(pid, signal.SIGHUP)
time.sleep(1)
print(os.waitpid(pid, os.WNOHANG) == (0, 0), flush=True)
os.close(terminal)
for _ in range(600):
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended: break
    time.sleep(0.1)
else:
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status), flush=True)
`;

describeWith('python3', 'a terminal', () => {
  test.each(['1', '2'])(
    'that is closed ends the service of %s worker(s) in order; a SIGHUP before that does not',
    async (workers) => {
      const folder = await mkdtemp(join(tmpdir(), 'ect-terminal-'));
      const env = { ...cleanEnv(), ECT_LISTEN: '127.0.0.1:0', ECT_DATA_DIR: folder, ECT_WORKERS: workers };
      const child = spawn('python3', ['-c', ON_A_TERMINAL, process.execPath, MAIN, 'serve'], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (chunk) => (said += String(chunk)));
      await once(child, 'close');
      expect(said).toBe('True\n0\n');
      await rm(folder, { recursive: true, force: true });
    },
  );
});
