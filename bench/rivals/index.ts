// The rivals, started: each in a process of its own.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Bench, signerOf } from '../contenders.ts';
import { ALL_CORES, pinned, SERVER_CORE } from '../cores.ts';
import type { DatabasePlace } from '../postgres-server.ts';
import { probe } from '../probe.ts';
import type { Round } from '../report.ts';
import { type Server, startServer } from '../servers.ts';
import type { Contender } from '../signature-batches.ts';
import { WORKS, type WorkName } from '../works.ts';
import type { RowSizes } from './postgres-rows.ts';

const run = promisify(execFile);
const SHORTEST_LOOP_SECONDS = 0.2;
const OPERATIONS: Readonly<Partial<Record<WorkName, string>>> = {
  issue: 'sign',
  'verify-unseen': 'verify',
  append: 'record',
};

/** A bare grpc-js server for this work. Its answers are as large as the one that `ours` gives. */
export async function startGrpcJs(bench: Bench, ours: Server, work: WorkName): Promise<Server> {
  const operation = OPERATIONS[work];
  if (operation === undefined) throw new TypeError(`grpc-js has no rival for ${work}`);
  const answerFile = await keepAnswer(bench, ours, work);
  return startServer({
    name: `grpc-js + ${operation}`,
    program: ['rivals/grpc-js.ts', operation, bench.keyFile, answerFile],
    folder: bench.folder,
  });
}

/** The same over grpc-go, from a program that `buildGrpcGo` built. */
export async function startGrpcGo(
  bench: Bench,
  ours: Server,
  program: string,
  work: 'issue' | 'verify-unseen',
): Promise<Server> {
  const operation = OPERATIONS[work]!;
  const answerFile = await keepAnswer(bench, ours, work);
  return startServer({
    name: `grpc-go + ${operation}`,
    program: [program, operation, bench.keyFile, answerFile],
    folder: bench.folder,
  });
}

/** A file with our answer to a call of this work. */
async function keepAnswer(bench: Bench, ours: Server, work: WorkName): Promise<string> {
  const { path, bodies } = WORKS[work];
  const [body] = bodies(await signerOf(bench), 1);
  const file = join(bench.folder, `answer-${work}`);
  await writeFile(file, await probe(ours.url, path, body!));
  return file;
}

/** The same for AppendLedger with rows in PostgreSQL. */
export async function startGrpcJsOverPostgres(bench: Bench, ours: Server, place: DatabasePlace): Promise<Server> {
  const answerFile = await keepAnswer(bench, ours, 'append');
  return startServer({
    name: 'grpc-js + record by pg',
    program: ['rivals/grpc-js.ts', 'record-postgres', bench.keyFile, answerFile, JSON.stringify(place)],
    folder: bench.folder,
    cores: ALL_CORES,
  });
}

/** Nothing but rows into PostgreSQL. */
export function postgresLoop(place: DatabasePlace, sizes: RowSizes): Contender {
  const program = fileURLToPath(new URL('postgres-loop.ts', import.meta.url));
  return {
    name: 'pg, 16 rows a commit',
    run: async (seconds) => {
      const args = [program, ...[place, sizes].map((value) => JSON.stringify(value))];
      args.push(String(Math.max(seconds, SHORTEST_LOOP_SECONDS)));
      const { stdout } = await run(process.execPath, args);
      return { ...(JSON.parse(stdout) as Omit<Round, 'p50Ms' | 'p99Ms'>), p50Ms: Number.NaN, p99Ms: Number.NaN };
    },
  };
}

/** Our Issue behind plain connect-node. */
export function startConnect({ folder, keyFile }: Bench): Promise<Server> {
  return startServer({ name: 'connect-node', program: ['rivals/connect.ts', keyFile], folder });
}

/** The raw loop, on the core of the servers. */
export function cryptoLoop({ keyFile }: Bench, operation: 'sign' | 'verify'): Contender {
  const program = fileURLToPath(new URL('crypto-loop.ts', import.meta.url));
  return {
    name: `node:crypto ${operation}`,
    run: async (seconds) => {
      const args = [program, operation, keyFile, String(Math.max(seconds, SHORTEST_LOOP_SECONDS))];
      const { stdout } = await run(...pinned([SERVER_CORE], process.execPath, args));
      return { ...(JSON.parse(stdout) as Omit<Round, 'p50Ms' | 'p99Ms'>), p50Ms: Number.NaN, p99Ms: Number.NaN };
    },
  };
}
