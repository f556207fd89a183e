// AppendLedger: durable, with proof, for 64 callers, beside one verification and the same row in raw SQLite.

import { OURS, startAuthority } from '../authority-process.ts';
import { type Bench, type Shape, underLoad } from '../contenders.ts';
import { runLoad } from '../load-order.ts';
import { startGrpcJs } from '../rivals/index.ts';
import type { Server } from '../servers.ts';
import { cpuRatio, interleave, mediansOf, sideNamed } from '../signature-batches.ts';
import { median, percentile } from '../statistics.ts';
import type { Measure, Plan } from './plan.ts';

/** 64 calls open. */
const CALLERS: Shape = { connections: 8, streams: 8 };
const DEADLINE_MS = 10_000;

export const measureAppend: Measure = async (bench, plan) => {
  await using ours = await startAuthority(bench);
  await using bare = await startGrpcJs(bench, ours, 'append');
  const contenders = await Promise.all([bare, ours].map((server) => underLoad(bench, server, 'append', CALLERS)));
  const sides = await interleave(contenders, plan.rounds);
  const { perSecond } = mediansOf(sideNamed(sides, OURS));
  const p99 = await p99AtHalfLoad(bench, ours, perSecond / 2, plan);
  return {
    name: 'append',
    title: 'AppendLedger',
    unit: 'calls',
    sides,
    goals: [
      {
        text: 'AppendLedger ÷ raw',
        against: bare.name,
        value: cpuRatio(sides, OURS, bare.name),
        limit: 0.7,
        kind: 'at least',
        unit: '×',
      },
      { text: `p99 at half load (${Math.round(perSecond / 2)}/s)`, value: p99, limit: 50, kind: 'at most', unit: 'ms' },
    ],
    notes: ['64 calls open. The raw side commits 16 rows at a time and keeps no tree, checkpoint or proof.'],
  };
};

/** Calls come at a fixed rate, and latency counts from the moment when each was due. */
async function p99AtHalfLoad(
  bench: Bench,
  { url, pid }: Server,
  perSecond: number,
  { halfLoad }: Plan,
): Promise<number> {
  const found: number[] = [];
  for (let run = 0; run < halfLoad.runs; run++) {
    const { samples } = await runLoad({
      loop: 'open',
      servers: [{ url, pid }],
      work: 'append',
      keyFile: bench.keyFile,
      connections: CALLERS.connections,
      phases: [{ perSecond, seconds: halfLoad.seconds }],
      deadlineMs: DEADLINE_MS,
    });
    if (samples.some(({ status }) => status !== 0)) throw new Error('a call failed at half load');
    found.push(
      percentile(
        samples.map(({ latencyMs }) => latencyMs ?? Number.POSITIVE_INFINITY),
        0.99,
      ),
    );
  }
  return median(found);
}
