// h2load, the load generator for calls whose every request is the same: how it is called and what its answer means.

import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { GENERATOR_CORE, pinned } from './cores.ts';
import { percentile } from './statistics.ts';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 1 << 20;
const UNITS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60 };

/** What h2load counted. */
export interface H2loadSummary {
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
  /** Bytes of response bodies. gRPC says in trailers whether a call went well, which h2load does not read; the size tells. */
  readonly bodyBytes: number;
}

export interface H2loadOrder {
  readonly url: string;
  readonly bodyFile: string;
  readonly calls: number;
  readonly connections: number;
  readonly streams: number;
  readonly contentType: string;
  /** Where it writes one line a call. */
  readonly logFile: string;
}

export interface H2loadResult extends H2loadSummary {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The version line, or undefined where h2load is not installed. */
export async function h2loadVersion(): Promise<string | undefined> {
  try {
    return (await run('h2load', ['--version'])).stdout.trim();
  } catch {
    return undefined;
  }
}

/** Sends so many calls and waits for their answers. */
export async function h2load(order: H2loadOrder): Promise<H2loadResult> {
  const { url, bodyFile, calls, connections, streams, contentType, logFile } = order;
  const load = ['-n', calls, '-c', connections, '-m', streams, '-t', 1, '-d', bodyFile].map(String);
  const headers = ['-H', `content-type: ${contentType}`, '-H', 'te: trailers'];
  const [command, args] = pinned([GENERATOR_CORE], 'h2load', [...load, ...headers, `--log-file=${logFile}`, url]);
  // h2load adds to a log that is there: latencies of earlier runs would be read again.
  await rm(logFile, { force: true });
  const { stdout } = await run(command, args, { maxBuffer: MAX_OUTPUT_BYTES });
  const summary = readSummary(stdout);
  const latencies = readLatencies(await readFile(logFile, 'utf8'));
  if (latencies.length !== calls) throw new Error(`h2load logged ${latencies.length} of ${calls} calls`);
  return { ...summary, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

/** Reads what h2load prints at its end. TypeError where it is something else. */
export function readSummary(output: string): H2loadSummary {
  const [, time, unit] = /^finished in ([\d.]+)(us|ms|s|m),/m.exec(output) ?? [];
  const [, total] = /^requests: (\d+) total/m.exec(output) ?? [];
  const [, good] = /^status codes: (\d+) 2xx/m.exec(output) ?? [];
  const [, bodyBytes] = /, \S+ \((\d+)\) data$/m.exec(output) ?? [];
  if (time === undefined || total === undefined || good === undefined || bodyBytes === undefined) {
    throw new TypeError(`h2load did not finish:\n${output}`);
  }
  return {
    calls: Number(total),
    failed: Number(total) - Number(good),
    seconds: Number(time) * UNITS[unit!]!,
    bodyBytes: Number(bodyBytes),
  };
}

/** Reads the log: start, HTTP status and microseconds of each call. Answers milliseconds. */
export function readLatencies(log: string): Float64Array {
  const lines = log.split('\n').filter(Boolean);
  return Float64Array.from(lines, (line) => Number(line.split('\t')[2]) / 1000);
}
