// A real PostgreSQL server for a test, from the binaries of Debian: in a temporary directory, behind a Unix socket, with default
// settings. PostgreSQL refuses to run as root, so then it runs as `postgres`.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { changeSchema, type PostgresTarget } from '../../src/stores/postgres/index.ts';
import { afterEachFile } from './after-each-file.ts';
import { describeWhen } from './need.ts';
import { runDirectory } from './run-directory.ts';

/** The directory of the programs of another version, instead of the newest installed one. */
const CHOSEN = process.env['ECT_TEST_POSTGRES_BIN'];
const BIN =
  CHOSEN ??
  globSync('/usr/lib/postgresql/*/bin/postgres')
    .map((path) => path.replace(/\/postgres$/, ''))
    .sort((a, b) => Number(a.split('/')[4]) - Number(b.split('/')[4]))
    .at(-1);
const exec = promisify(execFile);
const RUNS_AS_ROOT = process.getuid?.() === 0;
export const PORT = 5_432;
/** The password of the superuser and of each role. It has characters that URLs and shells treat specially. */
export const PASSWORD = "p@ss:w/o'rd%";
/** The role that the service runs as. */
export const SERVICE_ROLE = 'ect service';

/** A `describe` for tests that need a server. */
export function describeWithPostgres(title: string, tests: () => void): void {
  describeWhen(BIN !== undefined, title, 'PostgreSQL in /usr/lib/postgresql (Debian: postgresql)', tests);
}

/** ECT_POSTGRES_URL of a service. `host` is the directory of a socket, or several of them separated by commas. */
export function postgresUrl(host: string, database = 'postgres'): string {
  return `postgres:///${database}?host=${host}&user=${encodeURIComponent(SERVICE_ROLE)}`;
}

/** A running server with the tables in its database. */
export interface PostgresServer {
  /** The directory of its socket. */
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** Returns the target for the role of a service, or for another role. */
  target(user?: string, database?: string): PostgresTarget;
  /** Runs statements as the superuser. Returns the rows of the last one. */
  sql(
    text: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Makes a database with the tables, which the role of the service may use. Returns the settings of a service for it. */
  makeDatabase(name: string): Promise<Readonly<Record<'ECT_POSTGRES_URL' | 'ECT_POSTGRES_PASSWORD_FILE', string>>>;
  /** Runs a program of PostgreSQL (`pg_dump`) as the superuser. Returns its output. */
  run(program: string, ...args: readonly string[]): Promise<string>;
  /** The directory of its data. */
  readonly data: string;
  /** Ends the server as a crash would, and waits. `SIGKILL`: without ending its processes first. */
  crash(signal?: 'SIGKILL' | 'SIGQUIT'): Promise<void>;
  /** Stops all its processes as a machine that hangs would. Returns a function that continues them. */
  freeze(): () => void;
  /** Starts the server again with the same data. `settings` are passed on the command line: `fsync=off`. */
  restart(settings?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();
afterEachFile(async () => {
  await Promise.all([...running].map((child) => end(child, 'SIGQUIT')));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
});

/** Makes a database cluster and starts a server. `hasTables`: with the tables of `ect db init --role`. */
export async function startPostgres({ hasTables = true } = {}): Promise<PostgresServer> {
  const folder = serverFolder();
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  giveToServer(passwordFile);
  await exec('cp', ['-a', await clusterOfRun(hasTables), data]);
  let child = await startServer(data, folder, []);
  const target = (user = SERVICE_ROLE, database = 'postgres'): PostgresTarget => {
    return { host: folder, port: PORT, database, user, password: () => PASSWORD, tls: undefined };
  };
  const server: PostgresServer = {
    host: folder,
    port: PORT,
    data,
    get pid() {
      return child.pid ?? 0;
    },
    target,
    sql: async (text, values, database = 'postgres') => {
      const client = new Client({
        host: folder,
        port: PORT,
        user: 'postgres',
        password: PASSWORD,
        database,
      });
      await client.connect();
      try {
        return (await client.query<Readonly<Record<string, unknown>>>(text, values && [...values])).rows;
      } finally {
        await client.end();
      }
    },
    makeDatabase: async (name) => {
      await server.sql(`CREATE DATABASE "${name}"`);
      await changeSchema(target('postgres', name), { kind: 'init', role: SERVICE_ROLE });
      return { ECT_POSTGRES_URL: postgresUrl(folder, name), ECT_POSTGRES_PASSWORD_FILE: passwordFile };
    },
    run: async (program, ...args) => {
      const env = { ...process.env, PGHOST: folder, PGPORT: `${PORT}`, PGUSER: 'postgres', PGPASSWORD: PASSWORD };
      return (await exec(join(BIN ?? '', program), args, { env })).stdout;
    },
    crash: (signal = 'SIGQUIT') => end(child, signal),
    freeze: () => freeze(child),
    restart: async (settings = []) => {
      child = await startServer(data, folder, settings);
    },
    stop: async () => {
      await end(child, 'SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}

/**
 * Returns the data of a new cluster with the role of the service and its tables. It is made once in a run, which takes a second; each
 * server gets a copy. If two processes make it at the same time, one of them is kept.
 */
async function clusterOfRun(hasTables: boolean): Promise<string> {
  const kept = join(runDirectory(), hasTables ? 'postgres-with-tables' : 'postgres');
  if (existsSync(kept)) return kept;
  const folder = serverFolder();
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  giveToServer(passwordFile);
  const form = ['-U', 'postgres', '-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256', '--pwfile', passwordFile];
  const made = spawnSync(...asUser('initdb', ['-D', data, '-N', ...form]), { encoding: 'utf8', cwd: folder });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const child = await startServer(data, folder, []);
  const superuser = { host: folder, port: PORT, database: 'postgres', user: 'postgres', password: PASSWORD };
  const client = new Client(superuser);
  await client.connect();
  await client.query(`CREATE ROLE "${SERVICE_ROLE}" LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  await client.end();
  const target = { ...superuser, password: () => PASSWORD, tls: undefined };
  if (hasTables) await changeSchema(target, { kind: 'init', role: SERVICE_ROLE });
  await end(child, 'SIGINT');
  try {
    renameSync(data, kept);
  } catch (error) {
    if (!existsSync(kept)) throw error;
  }
  return kept;
}

/** Makes a directory for a server and its socket. It is removed after the tests of the file. */
export function serverFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ect-pg-'));
  folders.add(folder);
  chmodSync(folder, 0o755);
  giveToServer(folder);
  return folder;
}

/** Gives a path to the user of the server. */
export function giveToServer(path: string): void {
  if (RUNS_AS_ROOT) chownSync(path, userId('u'), userId('g'));
}

/** Starts a server with `data` and its socket in `folder`. Returns when it accepts connections. */
export async function startServer(data: string, folder: string, settings: readonly string[]): Promise<ChildProcess> {
  const options = ['listen_addresses=', `unix_socket_directories=${folder}`, 'log_min_messages=log', ...settings];
  const args = ['-D', data, '-p', `${PORT}`, ...options.flatMap((option) => ['-c', option])];
  const child = spawn(...asUser('postgres', args), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    lines.push(line);
    if (/database system is ready to accept (?:read-only )?connections/.test(line)) {
      // Its later output is discarded, so that it never blocks.
      child.stderr!.resume();
      return child;
    }
  }
  throw new Error(`The server did not start: ${lines.join('\n')}`);
}

/** Returns the command for a program of PostgreSQL. The program ends when its test process ends, in any way. */
export function asUser(program: string, args: readonly string[]): [string, string[]] {
  const path = join(BIN ?? '', program);
  if (!RUNS_AS_ROOT) return [path, [...args]];
  const user = [`--reuid=${userId('u')}`, `--regid=${userId('g')}`, '--clear-groups'];
  return ['setpriv', [...user, '--pdeathsig', 'SIGQUIT', path, ...args]];
}

/** Returns the id of the user or group of the server on Debian. */
function userId(kind: 'u' | 'g'): number {
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'postgres');
  return Number(entry?.[kind === 'u' ? 2 : 3]);
}

/** Stops a server and all its processes. Returns a function that continues them. */
export function freeze({ pid = 0 }: ChildProcess): () => void {
  // The postmaster first, because it starts the others.
  const pids = [pid, ...childrenOf(pid)];
  for (const each of pids) signal(each, 'SIGSTOP');
  return () => {
    for (const each of pids) signal(each, 'SIGCONT');
  };
}

/** Processes of a server come and go: one that has ended meanwhile needs no signal. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Returns the processes that the server has started. */
function childrenOf(pid: number): readonly number[] {
  return globSync('/proc/[0-9]*/stat').flatMap((path) => {
    const stat = statOf(path);
    // The name of the program, in parentheses, may contain any characters.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return parent === pid ? [Number(path.split('/')[2])] : [];
  });
}

/** Returns an empty text if the process has ended meanwhile. */
function statOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
