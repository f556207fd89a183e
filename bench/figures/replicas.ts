// One, two and three replicas over one real PostgreSQL: appends and issues at level L3, beside plain rows in the same server; and what an
// append costs where the ledger is large.

import { fromBinary } from '@bufbuild/protobuf';
import { AppendLedgerResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { PostgresDatabase, PostgresLedgerStore } from '../../src/stores/postgres/index.ts';
import { OURS } from '../authority-process.ts';
import { type Bench, type Shape, signerOf, underLoad, underSharedLoad } from '../contenders.ts';
import { postgresEntryBytes, sqliteEntryBytes } from '../entry-bytes.ts';
import { type DatabaseServer, startDatabase } from '../postgres-server.ts';
import { probe } from '../probe.ts';
import { recordUpTo, timeCommits } from '../recorded-entries.ts';
import { makeSharedKeys, type SharedKeys, startReplica, type WatchedContender, watchCommits } from '../replicas.ts';
import type { Goal, Side } from '../report.ts';
import { postgresLoop, startGrpcJsOverPostgres } from '../rivals/index.ts';
import { PLAIN_TABLE, type RowSizes } from '../rivals/postgres-rows.ts';
import { cpuRatio, interleave, mediansOf, sideNamed } from '../rounds.ts';
import type { Server } from '../servers.ts';
import { median } from '../statistics.ts';
import { mintTokens } from '../tokens.ts';
import { WORKS } from '../works.ts';
import type { Measure } from './plan.ts';

const REPLICAS = 3;
/** 96 calls open, over as many connections for each number of replicas. */
const CALLERS: Shape = { connections: 12, streams: 8 };
const METHODS = { append: 'append', 'Issue at L3': 'issue-recorded' } as const;
type Method = keyof typeof METHODS;
/** Of plain rows, per CPU second. */
const PLAIN_LIMIT = 0.7;
/** Three replicas, in times of one. */
const MORE_REPLICAS_LIMIT = 1;
/** Cost in a large ledger, in times of that in a small one. */
const FLAT = 1.2;
/** Entries of the commits that are timed, for the model of docs/scaling.md. */
const COMMIT_SIZES = [1, 16, 64, 256];
const HEAD = { name: 'replicas', title: 'Replicas over PostgreSQL', unit: 'calls' } as const;

export const measureReplicas: Measure = async (bench, plan) => {
  await using database = await startDatabase();
  if (database === undefined) {
    const notes = ['Skipped: PostgreSQL is not in /usr/lib/postgresql. Debian and Ubuntu: apt-get install postgresql.'];
    return { ...HEAD, sides: [], goals: [], notes };
  }
  const keys = await makeSharedKeys(bench);
  const compared = await compareReplicas(bench, database, keys, plan.replicas.rounds);
  const grown = await compareSizes(bench, database, keys, plan.replicas);
  return {
    ...HEAD,
    sides: [...compared.sides, ...grown.sides],
    goals: [...compared.goals, ...grown.goals],
    notes: [
      `PostgreSQL ${database.version} with its default settings, over a Unix socket. Replicas, PostgreSQL and the generator share all cores. 96 calls open.`,
      'Plain pg inserts rows with one index and does nothing else; the grpc-js server verifies each token before. Both commit 16 rows at a time, several commits at once.',
      ...compared.notes,
      ...grown.notes,
    ],
  };
};

interface Part {
  readonly sides: readonly Side[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

type Rounds = Parameters<typeof interleave>[1];

async function compareReplicas(bench: Bench, database: DatabaseServer, keys: SharedKeys, rounds: Rounds): Promise<Part> {
  await database.create('shared');
  await database.create('plain');
  await database.query('plain', PLAIN_TABLE);
  await using replicas = new AsyncDisposableStack();
  const started: Server[] = [];
  for (let replica = 1; replica <= REPLICAS; replica++) {
    started.push(replicas.use(await startReplica(bench, keys, database, 'shared', `replica ${replica}`)));
  }
  const place = database.place('plain');
  await using bare = await startGrpcJsOverPostgres(bench, started[0]!, place);
  const watched: WatchedContender[] = [];
  for (const method of Object.keys(METHODS) as Method[]) {
    for (let count = 1; count <= REPLICAS; count++) {
      const group = { name: nameOf(method, count), servers: targetsOf(started.slice(0, count)), databasePid: database.pid };
      const contender = await underSharedLoad(bench, group, METHODS[method], CALLERS);
      watched.push(watchCommits(contender, started.slice(0, count)));
    }
  }
  const loop = postgresLoop(place, await rowSizes(bench, started[0]!));
  const sides = await interleave([loop, await underLoad(bench, bare, 'append', CALLERS), ...watched], rounds);
  return {
    sides,
    goals: [
      ...[loop.name, bare.name].map((against) => ({
        text: `append ÷ ${against}`,
        against,
        value: cpuRatio(sides, nameOf('append', 1), against),
        limit: PLAIN_LIMIT,
        kind: 'at least' as const,
        unit: '×' as const,
      })),
      ...(Object.keys(METHODS) as Method[]).map((method) => ({
        text: `${method}: ${REPLICAS} replicas ÷ 1, by the clock`,
        value: perSecond(sides, nameOf(method, REPLICAS)) / perSecond(sides, nameOf(method, 1)),
        limit: MORE_REPLICAS_LIMIT,
        kind: 'at least' as const,
        unit: '×' as const,
      })),
    ],
    notes: watched.map((contender) => {
      const side = sideNamed(sides, contender.name);
      return (
        `${contender.name}: ${contender.entriesPerCommit().toFixed(1)} entries a commit; CPU time of an entry ` +
        `${micros(costOf(side, false))} µs in the replicas, ${micros(costOf(side, true) - costOf(side, false))} µs in PostgreSQL.`
      );
    }),
  };
}

async function compareSizes(
  bench: Bench,
  database: DatabaseServer,
  keys: SharedKeys,
  { sizes, rounds }: { readonly sizes: readonly [number, number]; readonly rounds: Rounds },
): Promise<Part> {
  const { jwk } = await signerOf(bench);
  const notes: string[] = [];
  for (const size of sizes) {
    const name = databaseOf(size);
    await database.create(name);
    // The first start announces the signing key, before the entries: later it would have to wait until it may sign.
    await using _first = await startReplica(bench, keys, database, name, 'first start');
  }
  const stores = new AsyncDisposableStack();
  await using _stores = stores;
  const open = (size: number) => {
    const connections = new PostgresDatabase(database.target(databaseOf(size)), 2);
    stores.defer(() => connections.close());
    return stores.adopt(new PostgresLedgerStore(connections), (store) => store.close());
  };
  for (const size of sizes) {
    await recordUpTo(size, open(size), keys.ledgerKey, jwk);
    // What the server would otherwise do while it is measured.
    await database.query(databaseOf(size), 'VACUUM ANALYZE');
  }
  await database.query('postgres', 'CHECKPOINT');
  for (const size of sizes) {
    const times = await timeCommits(COMMIT_SIZES, open(size), keys.ledgerKey, jwk);
    const shown = COMMIT_SIZES.map((entries, at) => `${entries}: ${times[at]!.toFixed(2)}`).join(', ');
    notes.push(`A commit after ${size} entries, in ms by its entries, with nobody beside it: ${shown}.`);
  }
  const many = sizes[1];
  const bytes = await postgresEntryBytes(database, databaseOf(many));
  const inSqlite = await sqliteEntryBytes(bench.folder, sizes[0], keys.ledgerKey, jwk);
  notes.push(
    `Bytes of an entry: ${Math.round(bytes.rows)} in the table and ${Math.round(bytes.indexes)} in the indexes of PostgreSQL, ${Math.round(inSqlite)} in the file of SQLite.`,
  );
  await using replicas = new AsyncDisposableStack();
  const contenders = [];
  for (const size of sizes) {
    const name = `${OURS}, append after ${size}`;
    const server = replicas.use(await startReplica(bench, keys, database, databaseOf(size), name));
    const group = { name, servers: targetsOf([server]), databasePid: database.pid };
    contenders.push(await underSharedLoad(bench, group, 'append', CALLERS));
  }
  const sides = await interleave(contenders, rounds);
  const [few, large] = sides.map((side) => costOf(side, true));
  const ended = await Promise.all(sizes.map((size) => sizeOf(database, databaseOf(size))));
  notes.push(`The ledgers had ${sizes.join(' and ')} entries at first, and ${ended.join(' and ')} in the end.`);
  return {
    sides,
    goals: [
      {
        text: `cost of an append, service and PostgreSQL: after ${many} ÷ after ${sizes[0]}`,
        value: large! / few!,
        limit: FLAT,
        kind: 'at most',
        unit: '×',
      },
    ],
    notes,
  };
}

function nameOf(method: Method, replicas: number): string {
  return `${OURS}, ${method}, ${replicas === 1 ? '1 replica' : `${replicas} replicas`}`;
}

function databaseOf(size: number): string {
  return `after_${size}`;
}

function targetsOf(servers: readonly Server[]) {
  return servers.map(({ url, pid }) => ({ url, pid }));
}

function perSecond(sides: readonly Side[], name: string): number {
  return mediansOf(sideNamed(sides, name)).perSecond;
}

/** CPU seconds of an entry: of the service's processes, with or without those of the database. */
function costOf({ rounds }: Side, withDatabase: boolean): number {
  return median(
    rounds.map(({ cpuSeconds, databaseCpuSeconds = 0, units }) => (cpuSeconds + (withDatabase ? databaseCpuSeconds : 0)) / units),
  );
}

function micros(seconds: number): number {
  return Math.round(seconds * 1e6);
}

/** How large the parts of an entry are that the service has recorded. */
async function rowSizes(bench: Bench, { url }: Server): Promise<RowSizes> {
  const signer = await signerOf(bench);
  const [body] = WORKS.append.bodies(signer, 1);
  const { entry } = fromBinary(AppendLedgerResponseSchema, await probe(url, WORKS.append.path, body!));
  const [token = ''] = mintTokens(signer, 1);
  return { leaf: entry?.leaf.length ?? 0, salt: entry?.salt.length ?? 0, content: token.length };
}

async function sizeOf(database: DatabaseServer, name: string): Promise<number> {
  const [head] = await database.query(name, 'SELECT size FROM ect.head');
  return Number(head?.['size']);
}
