// The real process: `node src/main.ts serve` with its own environment. The test ends it by its handle.

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

/** Settings by name. `undefined` removes a setting that the test sets by default. */
export type Settings = Readonly<Record<string, string | undefined>>;

/** A program that has exited. `code` is its exit code, or the signal that ended it. */
export interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running service. To dispose of it ends the process and removes its data. */
export interface ServiceProcess extends AsyncDisposable {
  /** `http://127.0.0.1:40123`. Like `pid` it changes with a restart. */
  readonly url: string;
  /** The URL without its scheme. */
  readonly address: string;
  readonly pid: number;
  readonly dataDir: string;
  /** The output of all runs so far. */
  stdout(): string;
  stderr(): string;
  /** Returns the lines of `stderr()` that are events of this name. */
  events(name: string): readonly Event[];
  /** Sends SIGTERM and waits. Returns the exit code, or the signal that ended the process. */
  stop(): Promise<number | string>;
  /** Waits until the process exits by itself. Returns the same as `stop`. */
  ended(): Promise<number | string>;
  /** Sends SIGKILL and waits. */
  kill(): Promise<void>;
  /** Starts the service again with the same data. It must have exited. */
  restart(): Promise<void>;
}

/** One line of the log. */
export type Event = Readonly<Record<string, unknown>>;

/** Starts a service on a free port with its own data directory. Returns when it listens. `descriptors`: its `ulimit -n`. */
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

/** Runs `node src/main.ts` with these arguments and settings until it exits. */
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

/** The running children. A test that is aborted, for example by its timeout, must not leave them behind. */
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

// The process gets none of the variables of the test run, except those that vitest.config.ts sets for all tests.
function spawnMain(
  args: readonly string[],
  settings: Settings,
  cwd: string,
  written: Written,
  descriptors?: number,
): ChildProcess {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, HOME, NODE_COMPILE_CACHE, ...settings };
  // The shell replaces itself with the service, under the same process id.
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

/** Waits for the line with the address. If the process exits before, throws an error with its output. */
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

/** Ends a child by its handle and waits for its output. A child that has exited returns its exit code. */
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
