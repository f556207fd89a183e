// Where our own time goes: one kind of work for a while under V8's sampling profiler. Arguments: the work, seconds (5), and `postgres`
// for a replica over PostgreSQL.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v8Options } from '../src/runtime/v8-options.ts';
import { generateKeyPem } from '../src/signers/local/index.ts';
import { startAuthority } from './authority-process.ts';
import { type Bench, underLoad } from './contenders.ts';
import { type CpuProfile, type SelfTime, selfTimes } from './cpu-profile.ts';
import { startDatabase } from './postgres-server.ts';
import { CALLERS, makeSharedKeys, startReplica } from './replicas.ts';
import type { Server } from './servers.ts';
import { WORKS, type WorkName } from './works.ts';

const SHOWN_OWNERS = 20;
const SHOWN_FUNCTIONS = 30;
const DEFAULT_SECONDS = 5;

/** Runs the service under the profiler and answers the profile of the measured part alone: no start, no warm-up. */
async function profile(bench: Bench, work: WorkName, seconds: number, start: typeof startAlone): Promise<string> {
  const profiles = join(bench.folder, 'profiles');
  let from = 0;
  let to = 0;
  {
    // The heap that the service gives itself: said here, it does not start anew and leave the profiler behind.
    const nodeArgs = [...v8Options(), '--cpu-prof', `--cpu-prof-dir=${profiles}`];
    await using surroundings = new AsyncDisposableStack();
    const ours = surroundings.use(await start(bench, nodeArgs, surroundings));
    const contender = await underLoad(bench, ours, work, CALLERS);
    await contender.run(0);
    await contender.run(1);
    from = nowMicroseconds();
    await contender.run(seconds);
    to = nowMicroseconds();
  }
  // The profiler writes its file when the process ends.
  const [file] = await readdir(profiles);
  const found = JSON.parse(await readFile(join(profiles, file!), 'utf8')) as CpuProfile;
  const { owners, functions } = selfTimes(found, from, to);
  const parts = [...owners.slice(0, SHOWN_OWNERS).map(line), '', ...functions.slice(0, SHOWN_FUNCTIONS).map(line)];
  return `${work}: own time, of the time in which the process was busy\n${parts.join('\n')}\n`;
}

/** Over SQLite. */
function startAlone(bench: Bench, nodeArgs: readonly string[], _surroundings: AsyncDisposableStack): Promise<Server> {
  return startAuthority(bench, { nodeArgs });
}

/** Over PostgreSQL, whose own time is not in the profile. */
async function startOverPostgres(
  bench: Bench,
  nodeArgs: readonly string[],
  surroundings: AsyncDisposableStack,
): Promise<Server> {
  const database = await startDatabase();
  if (database === undefined) throw new Error('PostgreSQL is not in /usr/lib/postgresql.');
  surroundings.use(database);
  await database.create('profiled');
  return startReplica(bench, await makeSharedKeys(bench), database, 'profiled', 'profiled', nodeArgs);
}

function line({ name, share }: SelfTime): string {
  return `${(100 * share).toFixed(1).padStart(6)} %  ${name}`;
}

/** The profiler reads the same clock. */
function nowMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

const [name = '', seconds = String(DEFAULT_SECONDS), store] = process.argv.slice(2);
const start = store === 'postgres' ? startOverPostgres : startAlone;
if (name in WORKS) {
  const folder = await mkdtemp(join(tmpdir(), 'ect-profile-'));
  try {
    const bench = { folder, keyFile: join(folder, 'signing-key.pem') };
    await writeFile(bench.keyFile, generateKeyPem(), { mode: 0o600 });
    process.stdout.write(await profile(bench, name as WorkName, Number(seconds), start));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
} else {
  process.stderr.write(`node bench/profile.ts <${Object.keys(WORKS).join(' | ')}> [seconds]\n`);
  process.exitCode = 2;
}
