// A real Redis server for a test, from the binary of Debian: on a free port of loopback, in a temporary directory. Redis cannot choose a
// port by itself, so the test tries free ports until one works.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { RedisTarget } from '../../src/stores/redis/index.ts';
import { afterEachFile } from './after-each-file.ts';
import { describeWhen } from './need.ts';

/** ECT_TEST_REDIS_SERVER: another server of the same protocol, such as Valkey. */
const SERVER = process.env['ECT_TEST_REDIS_SERVER'] ?? '/usr/bin/redis-server';

/** A `describe` for tests that need a server. */
export function describeWithRedis(title: string, tests: () => void): void {
  describeWhen(existsSync(SERVER), title, `${SERVER} (Debian: redis-server)`, tests);
}

/** A running server. */
export interface RedisServer {
  readonly port: number;
  /** The target of a service. */
  target(differs?: Partial<RedisTarget>): RedisTarget;
  /** Sends a command over its own connection. */
  command(name: string, ...args: readonly (string | number)[]): Promise<unknown>;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends the server as a crash would, and waits. */
  crash(): Promise<void>;
  /** Starts the server again with the same data and port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();
afterEachFile(async () => {
  await Promise.all([...running].map(kill));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
});

/** Starts a server that stores nothing on the disk, unless the settings say otherwise. */
export function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const all = { bind: '127.0.0.1', save: '', appendonly: 'no', 'repl-diskless-sync-delay': '0', ...settings };
  return startIn(
    makeFolder(),
    Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]),
  );
}

/** Starts a Sentinel that monitors a master under the name `main`, and alone decides on a failover. */
export function startSentinel({ port }: RedisServer): Promise<RedisServer> {
  const folder = makeFolder();
  const file = join(folder, 'sentinel.conf');
  const lines = [
    'bind 127.0.0.1',
    `sentinel monitor main 127.0.0.1 ${port} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return startIn(folder, ['--sentinel'], file);
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ect-redis-'));
  folders.add(folder);
  return folder;
}

async function startIn(folder: string, settings: readonly string[], file?: string): Promise<RedisServer> {
  const args = ['--dir', folder, ...settings];
  const before = file === undefined ? [] : [file];
  const passwordAt = settings.indexOf('--requirepass') + 1;
  const secret = passwordAt === 0 ? {} : { password: settings[passwordAt] ?? '' };
  let { child, port } = await startSomewhere(before, args);
  const stop = async () => {
    await kill(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    port,
    target: (differs) => ({
      place: { kind: 'server', host: '127.0.0.1', port },
      database: 0,
      user: undefined,
      password: async () => undefined,
      sentinelPassword: async () => undefined,
      tls: undefined,
      prefix: 'ect',
      ...differs,
    }),
    command: (name, ...args) => send({ port, ...secret }, name, args),
    signal: (name) => void child.kill(name),
    crash: () => kill(child),
    restart: async () => {
      const started = await startOn(port, before, args);
      if (started === undefined) throw new Error('another process has taken the port of the server');
      child = started;
    },
    stop,
  };
}

async function send(
  at: { readonly port: number; readonly password?: string },
  name: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const client = new Redis({
    host: '127.0.0.1',
    ...at,
    lazyConnect: true,
    retryStrategy: null,
    disableClientInfo: true,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

async function startSomewhere(
  before: readonly string[],
  args: readonly string[],
): Promise<{ child: ChildProcess; port: number }> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort();
    const child = await startOn(port, before, args);
    if (child !== undefined) return { child, port };
  }
  throw new Error('no port was free for a server');
}

/** Starts a program that ends when its test process ends, in any way. Returns undefined if the port is taken. */
async function startOn(
  port: number,
  before: readonly string[],
  args: readonly string[],
): Promise<ChildProcess | undefined> {
  const child = spawn('setpriv', ['--pdeathsig', 'SIGKILL', SERVER, ...before, '--port', `${port}`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (/Ready to accept connections|Sentinel ID is/.test(line)) {
      // Its later output is discarded, so that it never blocks.
      child.stdout.resume();
      return child;
    }
    if (/Address already in use/i.test(line)) {
      await kill(child);
      return undefined;
    }
  }
  throw new Error(`The server did not start: ${lines.join('\n')}`);
}

/** Returns a port that is free now. */
export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
