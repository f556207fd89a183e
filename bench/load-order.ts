// What the load generator is asked to do and what it answers, and how it is started: a process of its own, on its own core.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GENERATOR_CORE, pinned } from './cores.ts';
import type { TlsFiles } from './tls.ts';
import type { Place } from './tokens.ts';
import type { WorkName } from './works.ts';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 1 << 27;
const PROGRAM = fileURLToPath(new URL('load.ts', import.meta.url));

/** A server under load. The CPU time of its process is read at the first and at the last moment of the load. */
export interface Target {
  readonly url: string;
  readonly pid: number;
}

interface CommonOrder {
  /** Connections go to them in turn. Their cost is added up. */
  readonly servers: readonly Target[];
  /** The process of the database behind them, whose CPU time is reported by itself. */
  readonly databasePid?: number;
  readonly work: WorkName;
  /** The key that the server trusts: unseen tokens are made with it, before the load begins. */
  readonly keyFile: string;
  readonly connections: number;
  /** Where the tasks stand that are asked about. */
  readonly place?: Place;
  /** How the generator calls servers over TLS. */
  readonly tls?: TlsFiles;
}

/** Closed loop: so many calls are always open, until all are answered. */
export interface ClosedOrder extends CommonOrder {
  readonly loop: 'closed';
  readonly calls: number;
  readonly streams: number;
}

/** Open loop: calls come at a fixed rate, whether the server keeps up or not. */
export interface OpenOrder extends CommonOrder {
  readonly loop: 'open';
  readonly phases: readonly { readonly perSecond: number; readonly seconds: number }[];
  /** The deadline that each call carries. A call that waits longer for a free stream is given up. */
  readonly deadlineMs: number;
}

export type LoadOrder = ClosedOrder | OpenOrder;

interface CommonResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly databaseCpuSeconds?: number;
  /** How busy the generator itself was: near 1, it held the server back. */
  readonly generatorBusy: number;
}

export interface ClosedResult extends CommonResult {
  readonly calls: number;
  /** Calls by `grpc-status`. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One call of an open loop: when it was due and how long it took from then and from its sending, in milliseconds. */
export interface Sample {
  readonly dueMs: number;
  /** Undefined: never answered. */
  readonly latencyMs: number | undefined;
  readonly sinceSentMs: number | undefined;
  /** `grpc-status`; undefined for a call that was never sent or never answered. */
  readonly status: number | undefined;
}

export interface OpenResult extends CommonResult {
  readonly samples: readonly Sample[];
}

export type LoadResult<Order extends LoadOrder> = Order extends ClosedOrder ? ClosedResult : OpenResult;

/** Runs one load to its end. */
export async function runLoad<Order extends LoadOrder>(order: Order): Promise<LoadResult<Order>> {
  const [command, args] = pinned([GENERATOR_CORE], process.execPath, [PROGRAM, JSON.stringify(order)]);
  const { stdout } = await run(command, args, { maxBuffer: MAX_OUTPUT_BYTES });
  return JSON.parse(stdout) as LoadResult<Order>;
}
