// The servers under test: each a child process on a free port of the loopback interface, alone on its core.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pinned, SERVER_CORE } from './cores.ts';
import { costOf, type ProcessCost } from './process-cost.ts';

const START_MS = 30_000;
const STOP_MS = 15_000;
const SHOWN_CHARACTERS = 2_000;

export interface ServerOptions {
  readonly name: string;
  /** Path of the program from this folder, then its arguments. Node runs what ends with `.ts`. */
  readonly program: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
  readonly cores?: readonly number[];
  /** Where its log goes. */
  readonly folder: string;
}

/** A running server. Dispose it to end it. */
export interface Server extends AsyncDisposable {
  readonly name: string;
  /** `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly pid: number;
  cost(): Promise<ProcessCost>;
}

/** The server did not come up; the message shows what it said. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

/** Starts a program that prints `listening on <url>`, and answers when it does. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { name, program, env, nodeArgs = [], cores = [SERVER_CORE], folder } = options;
  const [file, ...args] = program;
  const path = fileURLToPath(new URL(file, import.meta.url));
  const [command, line] = path.endsWith('.ts')
    ? pinned(cores, process.execPath, [...nodeArgs, path, ...args])
    : pinned(cores, path, args);
  const logFile = join(folder, `${name.replaceAll(/\W+/g, '-')}.log`);
  // A file, not a pipe: reading its log would cost the generator's core.
  const log = openSync(logFile, 'w');
  const child = spawn(command, line, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  try {
    const url = await listeningUrl(child, name);
    // taskset becomes the program that it starts, so this is the server's own id.
    const pid = child.pid!;
    return { name, url, pid, cost: () => costOf(pid), [Symbol.asyncDispose]: () => end(child) };
  } catch (cause) {
    await end(child);
    const said = (await readFile(logFile, 'utf8')).slice(-SHOWN_CHARACTERS);
    throw new StartFailure(`${(cause as Error).message}\n${said}`, { cause });
  }
}

async function listeningUrl(child: ChildProcess, name: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string) => reject(new Error(`${name} ${why}`));
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const url = /^listening on (https?:\/\/\S+)$/.exec(line)?.[1];
    if (url !== undefined) resolve(url);
  });
  child.once('error', (error) => fail(`could not be started: ${error.message}`));
  child.once('exit', (code, signal) => fail(`ended with ${code ?? signal} before it listened`));
  const timer = setTimeout(() => fail(`did not listen within ${START_MS} ms`), START_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
}
