// A real PostgreSQL server for a measurement, from the binaries of Debian and with the settings that a server has by default: in a
// directory of its own, behind a Unix socket that nobody else reaches. It rejects to run as root, so there it runs as `postgres`.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { changeSchema, type PostgresTarget } from '../src/stores/postgres/index.ts';

const run = promisify(execFile);
const OWNER = 'postgres';
const SERVICE_ROLE = 'ect_service';
const PORT = 5_432;
const IS_ROOT = process.getuid?.() === 0;

/** Where a client finds a database. Nobody needs a password: the directory of the socket is the server's own. */
export interface DatabasePlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** A running server. Dispose it to end it and to remove its data. */
export interface DatabaseServer extends AsyncDisposable {
  /** `15.19`. */
  readonly version: string;
  readonly pid: number;
  /** As the owner of everything. */
  place(database: string): DatabasePlace;
  /** As the role of the service. */
  target(database: string): PostgresTarget;
  /** The setting of the service: `ECT_POSTGRES_URL`. */
  url(database: string): string;
  /** Makes a database with the tables of the service. */
  create(database: string): Promise<void>;
  /** Runs one statement as the owner. */
  query(database: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** The newest version that is installed; undefined: none is. */
function findBinaries(): string | undefined {
  const found = globSync('/usr/lib/postgresql/*/bin/postgres');
  const versionOf = (path: string) => Number(path.split('/')[4]);
  return found
    .toSorted((a, b) => versionOf(a) - versionOf(b))
    .at(-1)
    ?.replace(/\/postgres$/, '');
}

/** Makes a cluster and starts a server over it. Undefined where PostgreSQL is not installed. */
export async function startDatabase(): Promise<DatabaseServer | undefined> {
  const binaries = findBinaries();
  if (binaries === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'ect-bench-pg-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const ids = IS_ROOT ? await idsOfPostgres() : undefined;
    if (ids !== undefined) await chown(folder, ids.uid, ids.gid);
    const data = join(folder, 'data');
    const settings = ['-D', data, '-U', OWNER, '-E', 'UTF8', '--locale=C', '-A', 'trust', '-N'];
    await run(...as(ids, join(binaries, 'initdb'), settings), { cwd: folder });
    const child = await startServer(as(ids, join(binaries, 'postgres'), optionsOf(data, folder)), folder);
    const server = describe(child, folder, async () => {
      await end(child);
      await remove();
    });
    const version = await server.query(OWNER, 'SHOW server_version');
    await server.query(OWNER, `CREATE ROLE ${SERVICE_ROLE} LOGIN`);
    return { ...server, version: String(version[0]?.['server_version']).split(' ')[0]! };
  } catch (error) {
    await remove();
    throw error;
  }
}

function optionsOf(data: string, folder: string): string[] {
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`];
  return ['-D', data, '-p', String(PORT), ...settings.flatMap((setting) => ['-c', setting])];
}

function describe(child: ChildProcess, host: string, dispose: () => Promise<void>): Omit<DatabaseServer, 'version'> {
  const place = (database: string) => ({ host, port: PORT, database, user: OWNER });
  const target = (database: string, user = SERVICE_ROLE) => {
    return { ...place(database), user, password: () => undefined, tls: undefined };
  };
  const query = async (database: string, text: string) => {
    const client = new Client(place(database));
    await client.connect();
    try {
      return (await client.query<Readonly<Record<string, unknown>>>(text)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    pid: child.pid!,
    place,
    target: (database) => target(database),
    url: (database) => `postgres:///${database}?host=${host}&user=${SERVICE_ROLE}`,
    create: async (database) => {
      await query(OWNER, `CREATE DATABASE ${database}`);
      await changeSchema(target(database, OWNER), { kind: 'init', role: SERVICE_ROLE });
    },
    query,
    [Symbol.asyncDispose]: dispose,
  };
}

async function startServer([program, args]: [string, string[]], folder: string): Promise<ChildProcess> {
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    lines.push(line);
    if (line.includes('database system is ready to accept connections')) {
      // What it says from now on is nobody's, and must not hold it up.
      child.stderr!.resume();
      return child;
    }
  }
  throw new Error(`PostgreSQL did not start: ${lines.join('\n')}`);
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Ends with the process that started it, however that ends. setpriv becomes the program, so its process id is the server's. */
function as(ids: Ids | undefined, program: string, args: readonly string[]): [string, string[]] {
  const user = ids === undefined ? [] : [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--clear-groups'];
  return ['setpriv', [...user, '--pdeathsig', 'SIGQUIT', program, ...args]];
}

/** The user and the group that Debian makes for the server. */
async function idsOfPostgres(): Promise<Ids> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const entry = lines.find(([name]) => name === 'postgres');
  if (entry === undefined) throw new Error('PostgreSQL rejects to run as root, and there is no user postgres.');
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** A fast stop: connections end, and what is in memory is written. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
}
