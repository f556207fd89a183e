// The real process, as an operator runs it: `node src/main.ts serve` with an environment of its own, ended by its own handle.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEachFile } from './after-each-file.ts';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

const START_MS = 60_000;
const END_MS = 60_000;

/** Settings by name. `undefined` takes away what the test would set by itself. */
export type Settings = Readonly<Record<string, string | undefined>>;

/** A program that has ended. `code` is its exit code, or the signal that ended it. */
export interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running service. Dispose it to end the process and to remove its data. */
export interface ServiceProcess extends AsyncDisposable {
  /** `http://127.0.0.1:40123`. It changes with a restart, as `pid` does. */
  readonly url: string;
  /** The same without the scheme. */
  readonly address: string;
  readonly pid: number;
  readonly dataDir: string;
  /** What all runs have written so far. */
  stdout(): string;
  stderr(): string;
  /** The lines of `stderr()` that are events of this name. */
  events(name: string): readonly Event[];
  /** Asks it to end (SIGTERM) and waits. Answers the exit code, or the signal that ended it. */
  stop(): Promise<number | string>;
  /** Waits until it ends by itself. Answers how it did, as `stop` does. */
  ended(): Promise<number | string>;
  /** Ends it at once (SIGKILL), as a crash would, and waits. */
  kill(): Promise<void>;
  /** Starts it again on the same data. It must have ended. */
  restart(): Promise<void>;
}

/** One line of the log. */
export type Event = Readonly<Record<string, unknown>>;

/** Starts a service on a free port with a data directory of its own, and answers when it listens. `descriptors`: its `ulimit -n`. */
export async function startService(settings: Settings = {}, descriptors?: number): Promise<ServiceProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'ect-service-'));
  const dataDir = join(folder, 'data');
  const written = { stdout: '', stderr: '' };
  const all = { ECT_DATA_DIR: dataDir, ECT_LISTEN: '127.0.0.1:0', ...settings };
  const start = () => startRun(all, folder, written, descriptors);
  const remove = () => rm(folder, { recursive: true, force: true });
  let run = await start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    dataDir,
    get url() {
      return run.url;
    },
    get address() {
      return new URL(run.url).host;
    },
    get pid() {
      return run.child.pid ?? 0;
    },
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    events: (name) => eventsIn(written.stderr).filter(({ event }) => event === name),
    stop: () => end(run.child, 'SIGTERM'),
    ended: async () => {
      if (run.child.exitCode === null && run.child.signalCode === null) await once(run.child, 'close');
      return run.child.exitCode ?? run.child.signalCode ?? 'never started';
    },
    kill: async () => void (await end(run.child, 'SIGKILL')),
    restart: async () => {
      run = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await end(run.child, 'SIGKILL');
      await remove();
    },
  };
}

/** Runs `node src/main.ts` with these arguments and settings to its end. */
export async function runMain(
  args: readonly string[],
  settings: Settings = {},
  cwd = tmpdir(),
  descriptors?: number,
): Promise<Ended> {
  const written = { stdout: '', stderr: '' };
  const child = spawnMain(args, settings, cwd, written, descriptors);
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code: code ?? signal, ...written };
}

/** Children that have not ended. A test that is cut off, by its time limit for one, must not leave them behind. */
const running = new Set<ChildProcess>();
afterEachFile(() => Promise.all([...running].map((child) => end(child, 'SIGKILL'))));

interface Run {
  readonly child: ChildProcess;
  readonly url: string;
}

type Written = Record<'stdout' | 'stderr', string>;

async function startRun(settings: Settings, cwd: string, written: Written, descriptors?: number): Promise<Run> {
  const child = spawnMain(['serve'], settings, cwd, written, descriptors);
  try {
    return { child, url: await listeningUrl(child, written) };
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
}

// Nothing that happens to be set around the tests reaches the process, but for what vitest.config.ts sets for all of them.
function spawnMain(
  args: readonly string[],
  settings: Settings,
  cwd: string,
  written: Written,
  descriptors?: number,
): ChildProcess {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, HOME, NODE_COMPILE_CACHE, ...settings };
  // The shell makes room for the service, under the same process id.
  const shell = descriptors === undefined ? [] : ['sh', '-c', `ulimit -n ${descriptors} && exec "$0" "$@"`];
  const [program = '', ...rest] = [...shell, process.execPath, MAIN, ...args];
  const child = spawn(program, rest, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      written[name] += chunk;
    });
  }
  return child;
}

/** Waits for the line that names the address. An end before it is an error that shows what the process said. */
async function listeningUrl(child: ChildProcess, written: Written): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string) => reject(new Error(`The service ${why}:\n${written.stderr}`));
  if (child.stdout === null) throw new TypeError('the output of the service is not read');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const url = /^listening on ((?:https?:\/\/|unix:)\S+)$/.exec(line)?.[1];
    if (url !== undefined) resolve(url);
  });
  child.once('error', (error) => fail(`could not be started (${error.message})`));
  child.once('close', (code, signal) => fail(`ended with ${code ?? signal} before it listened`));
  const timer = setTimeout(() => fail(`did not listen within ${START_MS} ms`), START_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a child by its own handle and waits until its output is read. A child that has ended answers how it did. */
async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const closed = once(child, 'close');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await closed;
    clearTimeout(timer);
  }
  return child.exitCode ?? child.signalCode ?? 'never started';
}

function eventsIn(log: string): Event[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Event);
}
