// Two real PostgreSQL servers: a primary and a synchronous standby that follows it by streaming replication. After the death of the
// primary the standby is promoted, and the dead server becomes its standby.

import { type ChildProcess, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { PostgresTarget } from '../../src/stores/postgres/index.ts';
import {
  asUser,
  end,
  freeze,
  giveToServer,
  PASSWORD,
  PORT,
  serverFolder,
  startPostgres,
  startServer,
} from './postgres.ts';
import { SOON } from './soon.ts';

export interface PostgresPair {
  /** The directories of both sockets: the first one belongs to the first primary. */
  readonly hosts: readonly [string, string];
  /** The URL of both servers for a service. */
  target(): PostgresTarget;
  /** Runs statements on the primary as the superuser. Returns the rows of the last one. */
  sql(text: string): Promise<Rows>;
  /** Returns the directory of the primary. */
  readonly primary: string;
  /** Ends the primary at once: by SIGKILL, or by the `immediate` shutdown of PostgreSQL. */
  crash(signal: 'SIGKILL' | 'SIGQUIT'): Promise<void>;
  /** Stops the primary as a machine that hangs would. Returns a function that continues it. */
  freeze(): () => void;
  /** Makes the standby the primary. Returns when it accepts writes. */
  promote(): Promise<void>;
  /** Makes the dead server a synchronous standby of the primary. */
  rebuild(): Promise<void>;
  stop(): Promise<void>;
}

type Rows = readonly Readonly<Record<string, unknown>>[];

interface Node {
  readonly host: string;
  child: ChildProcess | undefined;
}

/** Starts both servers, with the tables of the service. */
export async function startPair(): Promise<PostgresPair> {
  const first = await startPostgres();
  const nodes: readonly [Node, Node] = [
    { host: first.host, child: undefined },
    { host: serverFolder(), child: undefined },
  ];
  let copies = 0;
  let primary: Node = nodes[0];
  const standby = () => (primary === nodes[0] ? nodes[1] : nodes[0]);
  const sqlOn = async ({ host }: Node, text: string): Promise<Rows> => {
    const client = new Client({ host, port: PORT, user: 'postgres', password: PASSWORD, database: 'postgres' });
    await client.connect();
    try {
      return (await client.query<Readonly<Record<string, unknown>>>(text)).rows;
    } finally {
      await client.end();
    }
  };

  async function rebuild(): Promise<void> {
    const node = standby();
    const data = join(node.host, `data-${++copies}`);
    copyOf(primary.host, data, node.host);
    node.child = await startServer(data, node.host, [`primary_conninfo=${conninfo(primary.host)}`]);
    // In a file of the primary only: a copied setting would make the standby wait for itself.
    await sqlOn(primary, `ALTER SYSTEM SET synchronous_standby_names = '${STANDBY_NAME}'`);
    await sqlOn(primary, 'SELECT pg_reload_conf()');
    await until(async () => {
      const [row] = await sqlOn(primary, 'SELECT sync_state FROM pg_stat_replication');
      return row?.['sync_state'] === 'sync';
    });
  }

  const pair: PostgresPair = {
    hosts: [nodes[0].host, nodes[1].host],
    get primary() {
      return primary.host;
    },
    target: () => ({ ...first.target(), others: [{ host: nodes[1].host, port: PORT }] }),
    sql: (text) => sqlOn(primary, text),
    crash: async (signal) => {
      if (primary.child === undefined) await first.crash(signal);
      else await end(primary.child, signal);
    },
    freeze: () => (primary.child === undefined ? first.freeze() : freeze(primary.child)),
    promote: async () => {
      primary = standby();
      // It has no standby of its own yet, so it waits for none.
      await sqlOn(primary, 'SELECT pg_promote(true, 60)');
    },
    rebuild,
    stop: async () => {
      for (const { child } of nodes) if (child !== undefined) await end(child, 'SIGQUIT');
      await first.crash();
    },
  };
  await rebuild();
  return pair;
}

const STANDBY_NAME = 'standby';

function conninfo(host: string): string {
  const password = PASSWORD.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return `host=${host} port=${PORT} user=postgres password='${password}' application_name=${STANDBY_NAME}`;
}

/** Makes a base backup that starts as a standby. */
function copyOf(host: string, data: string, cwd: string): void {
  const args = ['-D', data, '-h', host, '-p', `${PORT}`, '-U', 'postgres', '-X', 'stream', '-c', 'fast', '--no-sync'];
  const made = spawnSync(...asUser('pg_basebackup', args), {
    encoding: 'utf8',
    cwd,
    env: { PATH: process.env['PATH'], PGPASSWORD: PASSWORD },
  });
  if (made.status !== 0) throw new Error(`pg_basebackup failed: ${made.stderr}`);
  const signal = join(data, 'standby.signal');
  writeFileSync(signal, '', { mode: 0o600 });
  giveToServer(signal);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + SOON.timeout;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error('The standby does not follow in time.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
