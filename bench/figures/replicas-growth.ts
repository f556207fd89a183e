// What an append costs over PostgreSQL where the ledger is large, how long commits take, and what an entry takes on the disk.

import { PostgresDatabase, PostgresLedgerStore } from '../../src/stores/postgres/index.ts';
import { OURS } from '../authority-process.ts';
import { type Bench, signerOf, underSharedLoad } from '../contenders.ts';
import { postgresEntryBytes, sqliteEntryBytes } from '../entry-bytes.ts';
import type { DatabaseServer } from '../postgres-server.ts';
import { recordUpTo, timeCommits } from '../recorded-entries.ts';
import {
  CALLERS,
  costOfEntry,
  type FigurePart,
  micros,
  type SharedKeys,
  startReplica,
  targetsOf,
} from '../replicas.ts';
import { interleave } from '../signature-batches.ts';
import type { Plan } from './plan.ts';

/** Cost in a large ledger, in times of that in a small one. */
const FLAT = 1.2;
/** Entries of the commits that are timed, for the model of docs/scaling.md. */
const COMMIT_SIZES = [1, 16, 64, 256];

/** Measures one replica over a small ledger beside one over a large ledger, in two databases of one server. */
export async function measureGrowth(
  bench: Bench,
  database: DatabaseServer,
  keys: SharedKeys,
  { sizes, rounds }: Plan['replicas'],
): Promise<FigurePart> {
  const notes = [...(await fill(bench, database, keys, sizes)), await noteBytes(bench, database, keys, sizes)];
  await using replicas = new AsyncDisposableStack();
  const contenders = [];
  for (const size of sizes) {
    const name = `${OURS}, append after ${size}`;
    const server = replicas.use(await startReplica(bench, keys, database, databaseOf(size), name));
    const group = { name, servers: targetsOf([server]), databasePid: database.pid };
    contenders.push(await underSharedLoad(bench, group, 'append', CALLERS));
  }
  // Short, since each round makes the small ledger larger.
  const short = { ...rounds, seconds: rounds.seconds / 2, warmUpSeconds: rounds.warmUpSeconds / 2 };
  const sides = await interleave(contenders, short);
  const [few, many] = sides.map(costOfEntry);
  const ended = await Promise.all(sizes.map((size) => entriesIn(database, databaseOf(size))));
  const parts = [few!, many!].map((cost) => `${micros(cost.replicas)} + ${micros(cost.database)}`);
  notes.push(
    `The ledgers had ${sizes.join(' and ')} entries at first, and ${ended.join(' and ')} in the end. CPU time of an append, service + PostgreSQL, in µs: ${parts.join(', ')}.`,
  );
  const value = (many!.replicas + many!.database) / (few!.replicas + few!.database);
  const text = `cost of an append, service and PostgreSQL: after ${sizes[1]} ÷ after ${sizes[0]}`;
  return { sides, goals: [{ text, value, limit: FLAT, kind: 'at most', unit: '×' }], notes };
}

/** Makes the ledgers, and says how long commits take in each. */
async function fill(
  bench: Bench,
  database: DatabaseServer,
  keys: SharedKeys,
  sizes: readonly number[],
): Promise<string[]> {
  const { jwk } = await signerOf(bench);
  const notes: string[] = [];
  for (const size of sizes) {
    const name = databaseOf(size);
    await database.create(name);
    // The first start announces the signing key before the entries: later it would wait until it may sign.
    const first = await startReplica(bench, keys, database, name, 'first start');
    await first[Symbol.asyncDispose]();
    await withStore(database, name, (store) => recordUpTo(size, store, keys.ledgerKey, jwk));
    // What the server would otherwise do while it is measured.
    await database.query(name, 'VACUUM ANALYZE');
  }
  await database.query('postgres', 'CHECKPOINT');
  for (const size of sizes) {
    const times = await withStore(database, databaseOf(size), (store) =>
      timeCommits(COMMIT_SIZES, store, keys.ledgerKey, jwk),
    );
    const shown = times.map(({ entries, median, least }) => `${entries}: ${median.toFixed(2)} (${least.toFixed(2)})`);
    notes.push(
      `A commit after ${size} entries with nobody beside it, in ms by its entries, median and least: ${shown.join(', ')}.`,
    );
  }
  return notes;
}

async function withStore<T>(
  database: DatabaseServer,
  name: string,
  work: (store: PostgresLedgerStore) => Promise<T>,
): Promise<T> {
  const connections = new PostgresDatabase(database.target(name), 2);
  const store = new PostgresLedgerStore(connections);
  try {
    return await work(store);
  } finally {
    await store.close();
    await connections.close();
  }
}

async function noteBytes(
  bench: Bench,
  database: DatabaseServer,
  keys: SharedKeys,
  [few, many]: Plan['replicas']['sizes'],
): Promise<string> {
  const { jwk } = await signerOf(bench);
  const { rows, indexes } = await postgresEntryBytes(database, databaseOf(many));
  const inSqlite = await sqliteEntryBytes(bench.folder, few, keys.ledgerKey, jwk);
  return `Bytes of an entry: ${Math.round(rows)} in the table and ${Math.round(indexes)} in the indexes of PostgreSQL, ${Math.round(inSqlite)} in the file of SQLite.`;
}

function databaseOf(size: number): string {
  return `after_${size}`;
}

async function entriesIn(database: DatabaseServer, name: string): Promise<number> {
  const [head] = await database.query(name, 'SELECT size FROM ect.head');
  return Number(head?.['size']);
}
