// A service of our own for the length of the story: a child process on a free port of the loopback interface, with a data
// directory that goes away with it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_MS = 20_000;
const STOP_MS = 10_000;

export interface OwnService extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  readonly pid: number;
}

/** Starts the service, with more settings, and answers when it listens. To dispose of it ends the process and removes its data. */
export async function startService(settings: Readonly<Record<string, string>> = {}): Promise<OwnService> {
  const directory = await mkdtemp(join(tmpdir(), 'ect-demo-'));
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'serve'], {
    env: { PATH: process.env['PATH'], ECT_LISTEN: '127.0.0.1:0', ECT_DATA_DIR: directory, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async () => {
    await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const address = await listeningAddress(child);
    return { address, pid: child.pid ?? 0, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads the service's output until it says where it listens. Goes on reading, so that the pipes never fill up. */
async function listeningAddress(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string) => reject(new Error([`the service ${why}`, ...said.slice(-20)].join('\n')));
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      said.push(line);
      if (said.length > 100) said.shift();
      const address = /listening on https?:\/\/(\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address.replace(/\/$/, ''));
    });
  }
  child.once('error', (error) => fail(`could not be started: ${error.message}`));
  child.once('exit', (code, signal) => fail(`ended at once (${code ?? signal})`));
  const timer = setTimeout(() => fail(`did not listen within ${START_MS} ms`), START_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the child, by its own handle: gently first, for good when it takes too long. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
}
