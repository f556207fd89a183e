// Servers as contenders: how many calls a round has, which generator sends them, and the proof that all went well.

import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalSigner, readKeyFile } from '../src/signers/local/index.ts';
import { h2load } from './h2load.ts';
import { runLoad, type Target } from './load-order.ts';
import { probe, probeBody } from './probe.ts';
import type { Round } from './report.ts';
import type { Server } from './servers.ts';
import type { Contender } from './signature-batches.ts';
import { readTls, type TlsFiles } from './tls.ts';
import type { Place } from './tokens.ts';
import { GRPC } from './wire-form.ts';
import { WORKS, type Work, type WorkName } from './works.ts';

/**
 * Units of the very first run, when nobody knows yet how fast a server is, and the fewest of any run: a round that stalled
 * would otherwise make the next one so short that the stall is all of it.
 */
const FEWEST_UNITS = 2_000;
/** Answers differ a little where times or numbers have more digits. */
const SIZE_TOLERANCE = 0.02;

/** How many calls are open: connections, and streams on each. */
export interface Shape {
  readonly connections: number;
  readonly streams: number;
}

/** 128 calls open over 8 connections: what a busy server in a mesh sees. */
export const BUSY: Shape = { connections: 8, streams: 16 };

/** Where a run keeps its files, and the key that all servers trust. */
export interface Bench {
  readonly folder: string;
  readonly keyFile: string;
}

/** A server under h2load: for work whose every request is the same. */
export async function underH2load(
  bench: Bench,
  server: Server,
  name: WorkName,
  shape = BUSY,
  place?: Place,
  form = GRPC,
): Promise<CallContender> {
  const work = WORKS[name];
  const [body] = work.bodies(await signerOf(bench), 1, place);
  const bodyFile = join(bench.folder, `${name}-${randomUUID()}.bin`);
  await writeFile(bodyFile, form.body(body!));
  const answer = await probeBody(server.url, work.path, body!, form);
  const { contentType } = form;
  const logFile = join(bench.folder, 'h2load.log');
  const order = { url: server.url + work.path, bodyFile, contentType, logFile, ...shape };
  return paced(server.name, work, async (calls) => {
    const before = await server.cost();
    const result = await h2load({ ...order, calls: Math.max(calls, shape.connections * shape.streams) });
    const after = await server.cost();
    const expected = answer.length * result.calls;
    if (result.failed > 0 || Math.abs(result.bodyBytes / expected - 1) > SIZE_TOLERANCE) {
      throw new Error(
        `${server.name}: ${result.failed} of ${result.calls} calls failed, ${result.bodyBytes} bytes of ${expected}`,
      );
    }
    return { ...result, cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssBytes: after.rssBytes };
  });
}

/** Servers that share the calls, over one database where there is one. */
export interface Group {
  readonly name: string;
  readonly servers: readonly Target[];
  readonly databasePid?: number;
  /** How they are called over TLS. */
  readonly tls?: TlsFiles;
}

/** A server under our own generator: for work whose requests differ. */
export function underLoad(
  bench: Bench,
  server: Server,
  name: WorkName,
  shape = BUSY,
  place?: Place,
): Promise<CallContender> {
  const { url, pid } = server;
  return underSharedLoad(bench, { name: server.name, servers: [{ url, pid }] }, name, shape, place);
}

/** The same for several servers: connections go to them in turn. */
export async function underSharedLoad(
  bench: Bench,
  group: Group,
  name: WorkName,
  shape = BUSY,
  place?: Place,
): Promise<CallContender> {
  const work = WORKS[name];
  const signer = await signerOf(bench);
  for (const { url } of group.servers) {
    const [body] = work.bodies(signer, 1, place);
    await probe(url, work.path, body!, group.tls && (await readTls(group.tls)));
  }
  const { keyFile } = bench;
  const { servers, databasePid, tls } = group;
  return paced(group.name, work, async (calls) => {
    const result = await runLoad({
      loop: 'closed',
      servers,
      ...(databasePid !== undefined && { databasePid }),
      work: name,
      keyFile,
      calls,
      ...shape,
      ...(place && { place }),
      ...(tls && { tls }),
    });
    const good = result.statuses['0'] ?? 0;
    if (good !== calls)
      throw new Error(`${group.name}: ${calls - good} calls failed: ${JSON.stringify(result.statuses)}`);
    return result;
  });
}

interface Driven extends Omit<Round, 'units'> {
  readonly calls: number;
}

/** A contender that can also be asked for a number of calls. */
export interface CallContender extends Contender {
  drive(calls: number): Promise<Driven>;
}

/** Turns seconds into calls by the speed of the run before. */
function paced(name: string, { units }: Work, drive: CallContender['drive']): CallContender {
  let perSecond = 0;
  return {
    name,
    drive,
    run: async (seconds) => {
      const calls = Math.ceil(Math.max(perSecond * seconds, FEWEST_UNITS / units));
      const { calls: made, ...driven } = await drive(calls);
      perSecond = made / driven.seconds;
      const { seconds: took, cpuSeconds, p50Ms, p99Ms, rssBytes, generatorBusy, databaseCpuSeconds } = driven;
      return {
        units: made * units,
        seconds: took,
        cpuSeconds,
        p50Ms,
        p99Ms,
        rssBytes,
        ...(generatorBusy !== undefined && { generatorBusy }),
        ...(databaseCpuSeconds !== undefined && { databaseCpuSeconds }),
      };
    },
  };
}

export async function signerOf({ keyFile }: Bench): Promise<LocalSigner> {
  return LocalSigner.open(await readKeyFile(keyFile));
}
