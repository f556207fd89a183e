// One, two and three replicas over one real PostgreSQL: appends and issues at level L3, beside plain rows in the same server; and what an
// append costs where the ledger is large.

import { fromBinary } from '@bufbuild/protobuf';
import { AppendLedgerResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { OURS } from '../authority-process.ts';
import { type Bench, signerOf, underLoad, underSharedLoad } from '../contenders.ts';
import { type DatabaseServer, startDatabase } from '../postgres-server.ts';
import { probe } from '../probe.ts';
import {
  CALLERS,
  callersOf,
  costOfEntry,
  type FigurePart,
  makeSharedKeys,
  micros,
  type SharedKeys,
  startReplica,
  targetsOf,
  type WatchedContender,
  watchCommits,
} from '../replicas.ts';
import type { Side } from '../report.ts';
import { postgresLoop, startGrpcJsOverPostgres } from '../rivals/index.ts';
import { PLAIN_TABLE, type RowSizes } from '../rivals/postgres-rows.ts';
import type { Server } from '../servers.ts';
import { cpuRatio, interleave, mediansOf, type RoundPlan, sideNamed } from '../signature-batches.ts';
import { mintTokens } from '../tokens.ts';
import { WORKS } from '../works.ts';
import type { Measure } from './plan.ts';
import { measureGrowth } from './replicas-growth.ts';

const REPLICAS = 3;
const METHODS = { append: 'append', 'Issue at L3': 'issue-recorded' } as const;
type Method = keyof typeof METHODS;
/** Of plain rows, per CPU second. */
const PLAIN_LIMIT = 0.7;
/** Three replicas, in times of one. */
const MORE_REPLICAS_LIMIT = 1;
const HEAD = { name: 'replicas', title: 'Replicas over PostgreSQL', unit: 'calls' } as const;

export const measureReplicas: Measure = async (bench, plan) => {
  await using database = await startDatabase();
  if (database === undefined) {
    const notes = ['Skipped: PostgreSQL is not in /usr/lib/postgresql. Debian and Ubuntu: apt-get install postgresql.'];
    return { ...HEAD, sides: [], goals: [], notes };
  }
  const keys = await makeSharedKeys(bench);
  const compared = await compareReplicas(bench, database, keys, plan.replicas.rounds);
  const grown = await measureGrowth(bench, database, keys, plan.replicas);
  return {
    ...HEAD,
    sides: [...compared.sides, ...grown.sides],
    goals: [...compared.goals, ...grown.goals],
    notes: [
      `PostgreSQL ${database.version} with its default settings, over a Unix socket. Replicas, PostgreSQL and the generator share all cores. 96 calls open, or 96 for each replica.`,
      'Plain pg inserts rows with one index and does nothing else; the grpc-js server verifies each token before. Both commit 16 rows at a time, several commits at once.',
      ...compared.notes,
      ...grown.notes,
    ],
  };
};

async function compareReplicas(
  bench: Bench,
  database: DatabaseServer,
  keys: SharedKeys,
  rounds: RoundPlan,
): Promise<FigurePart> {
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
      const group = {
        name: nameOf(method, count),
        servers: targetsOf(started.slice(0, count)),
        databasePid: database.pid,
      };
      const contender = await underSharedLoad(bench, group, METHODS[method], CALLERS);
      watched.push(watchCommits(contender, started.slice(0, count)));
    }
    const all = { name: withMoreCallers(method), servers: targetsOf(started), databasePid: database.pid };
    watched.push(watchCommits(await underSharedLoad(bench, all, METHODS[method], callersOf(REPLICAS)), started));
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
      ...(Object.keys(METHODS) as Method[]).flatMap((method) =>
        [
          [`${method}: ${REPLICAS} replicas ÷ 1, by the clock`, nameOf(method, REPLICAS)] as const,
          [
            `${method}: ${REPLICAS} replicas with their own callers ÷ 1, by the clock`,
            withMoreCallers(method),
          ] as const,
        ].map(([text, side]) => ({
          text,
          value: perSecond(sides, side) / perSecond(sides, nameOf(method, 1)),
          limit: MORE_REPLICAS_LIMIT,
          kind: 'at least' as const,
          unit: '×' as const,
        })),
      ),
    ],
    notes: watched.map((contender) => {
      const cost = costOfEntry(sideNamed(sides, contender.name));
      return (
        `${contender.name}: ${contender.entriesPerCommit().toFixed(1)} entries a commit; CPU time of an entry ` +
        `${micros(cost.replicas)} µs in the replicas, ${micros(cost.database)} µs in PostgreSQL.`
      );
    }),
  };
}

function nameOf(method: Method, replicas: number): string {
  return `${OURS}, ${method}, ${replicas === 1 ? '1 replica' : `${replicas} replicas`}`;
}

function withMoreCallers(method: Method): string {
  return `${nameOf(method, REPLICAS)}, ${REPLICAS} × 96 calls`;
}

function perSecond(sides: readonly Side[], name: string): number {
  return mediansOf(sideNamed(sides, name)).perSecond;
}

/** How large the parts of an entry are that the service has recorded. */
async function rowSizes(bench: Bench, { url }: Server): Promise<RowSizes> {
  const signer = await signerOf(bench);
  const [body] = WORKS.append.bodies(signer, 1);
  const { receipt } = fromBinary(AppendLedgerResponseSchema, await probe(url, WORKS.append.path, body!));
  const [token = ''] = mintTokens(signer, 1);
  const { leaf, proof } = receipt ?? {};
  const salt = proof?.case === 'inclusion' ? proof.value.salt.length : 0;
  return { leaf: leaf?.length ?? 0, salt, content: token.length };
}
