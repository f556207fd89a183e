// The load generator's process: an order comes as its argument, the result goes to standard output.

import { LocalSigner, readKeyFile } from '../src/signers/local/index.ts';
import { GrpcConnection } from './grpc-connection.ts';
import { writeHeaderBlocks } from './http2-frames.ts';
import type { LoadOrder } from './load-order.ts';
import { closedLoop, openLoop } from './loops.ts';
import { costOf, costOfAll } from './process-cost.ts';
import { readTls } from './tls.ts';
import { WORKS } from './works.ts';

const order = JSON.parse(process.argv[2] ?? '') as LoadOrder;
const work = WORKS[order.work];
const signer = await LocalSigner.open(await readKeyFile(order.keyFile));
const bodies = work.bodies(signer, callsOf(order), order.place);
const pids = order.servers.map(({ pid }) => pid);
const tls = order.tls && (await readTls(order.tls));
const connections = await Promise.all(Array.from({ length: order.connections }, (_, at) => connect(at)));

const before = await costOfAll(pids);
const databaseBefore = await databaseCpuSeconds();
const ownBefore = process.cpuUsage();
const startedAt = performance.now();
const outcome =
  order.loop === 'closed' ? await closedLoop(connections, bodies, order) : await openLoop(connections, bodies, order);
const seconds = (performance.now() - startedAt) / 1000;
const own = process.cpuUsage(ownBefore);
const after = await costOfAll(pids);
const databaseAfter = await databaseCpuSeconds();

for (const connection of connections) connection.close();
process.stdout.write(
  JSON.stringify({
    ...outcome,
    seconds,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    rssBytes: after.rssBytes,
    ...(databaseBefore !== undefined &&
      databaseAfter !== undefined && { databaseCpuSeconds: databaseAfter - databaseBefore }),
    generatorBusy: (own.user + own.system) / 1e6 / seconds,
  }),
);

/** The connection of this number, to the server whose turn it is. */
function connect(at: number): Promise<GrpcConnection> {
  const url = new URL(order.servers[at % order.servers.length]!.url);
  return GrpcConnection.open(url, writeHeaderBlocks(url, work.path), onLost, tls);
}

async function databaseCpuSeconds(): Promise<number | undefined> {
  return order.databasePid === undefined ? undefined : (await costOf(order.databasePid)).cpuSeconds;
}

function callsOf(asked: LoadOrder): number {
  if (asked.loop === 'closed') return asked.calls;
  return asked.phases.reduce((sum, { perSecond, seconds: length }) => sum + Math.ceil(perSecond * length), 0);
}

function onLost(why: string): void {
  process.stderr.write(`a connection was lost: ${why}\n`);
  process.exit(1);
}
