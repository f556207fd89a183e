// Our own service as replicas over PostgreSQL, and how many entries they commit together.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateLedgerKey, type LedgerKey, openLedgerKey } from '../src/ledger/index.ts';
import { startAuthority } from './authority-process.ts';
import type { Bench, Shape } from './contenders.ts';
import { ALL_CORES } from './cores.ts';
import type { Target } from './load-order.ts';
import type { DatabaseServer } from './postgres-server.ts';
import type { Goal, Side } from './report.ts';
import type { Server } from './servers.ts';
import type { Contender } from './signature-batches.ts';
import { median } from './statistics.ts';

/** 96 calls open. One, two and three replicas have equally many of the connections each. */
export const CALLERS: Shape = { connections: 12, streams: 8 };

/** As many for each replica: a replica is added for more callers, which stay where they are. */
export function callersOf(replicas: number): Shape {
  return { connections: replicas * CALLERS.connections, streams: CALLERS.streams };
}

/** A part of the figure. */
export interface FigurePart {
  readonly sides: readonly Side[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

/** What replicas share beside the database. */
export interface SharedKeys {
  readonly ledgerKey: LedgerKey;
  readonly ledgerKeyFile: string;
}

export async function makeSharedKeys({ folder }: Bench): Promise<SharedKeys> {
  const text = generateLedgerKey('ledger.bench.example/ect');
  const ledgerKeyFile = join(folder, 'shared-ledger.key');
  await writeFile(ledgerKeyFile, `${text}\n`, { mode: 0o600 });
  return { ledgerKey: openLedgerKey(text), ledgerKeyFile };
}

/** Starts one replica over this database. */
export function startReplica(
  bench: Bench,
  { ledgerKeyFile }: SharedKeys,
  server: DatabaseServer,
  database: string,
  name: string,
  nodeArgs: readonly string[] = [],
): Promise<Server> {
  return startAuthority(bench, {
    name,
    nodeArgs,
    settings: {
      ECT_STORE: 'postgres',
      ECT_POSTGRES_URL: server.url(database),
      ECT_LEDGER_KEY_FILE: ledgerKeyFile,
    },
    cores: ALL_CORES,
  });
}

export function targetsOf(servers: readonly Server[]): readonly Target[] {
  return servers.map(({ url, pid }) => ({ url, pid }));
}

/** CPU seconds of an entry: medians over the rounds. */
export function costOfEntry({ rounds }: Side): { readonly replicas: number; readonly database: number } {
  return {
    replicas: median(rounds.map(({ cpuSeconds, units }) => cpuSeconds / units)),
    database: median(rounds.map(({ databaseCpuSeconds = Number.NaN, units }) => databaseCpuSeconds / units)),
  };
}

export function micros(seconds: number): number {
  return Math.round(seconds * 1e6);
}

/** A contender, and the entries that its replicas have committed together so far. */
export interface WatchedContender extends Contender {
  /** Entries of a commit, on average over the rounds. NaN before the first. */
  entriesPerCommit(): number;
}

/** Reads the metrics of the replicas around each round. */
export function watchCommits(contender: Contender, replicas: readonly Pick<Server, 'url'>[]): WatchedContender {
  let [entries, commits] = [0, 0];
  return {
    name: contender.name,
    run: async (seconds) => {
      const before = await countCommits(replicas);
      const round = await contender.run(seconds);
      const after = await countCommits(replicas);
      entries += after.entries - before.entries;
      commits += after.commits - before.commits;
      return round;
    },
    entriesPerCommit: () => entries / commits,
  };
}

async function countCommits(replicas: readonly Pick<Server, 'url'>[]) {
  const pages = await Promise.all(replicas.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  return {
    entries: sumOf(pages, 'ect_ledger_commit_entries_sum'),
    commits: sumOf(pages, 'ect_ledger_commit_entries_count'),
  };
}

/** A metric without labels, summed over pages of Prometheus text. Error where a page lacks it. */
export function sumOf(pages: readonly string[], metric: string): number {
  return pages.reduce((sum, page) => {
    const line = page.split('\n').find((candidate) => candidate.startsWith(`${metric} `));
    if (line === undefined) throw new Error(`the metrics lack ${metric}`);
    return sum + Number(line.slice(metric.length + 1));
  }, 0);
}
