// Overload: three times the calls that the service can bear. What counts is how many it still answers well, how quickly it
// rejects the others, and how soon it is itself again.

import { startAuthority } from '../authority-process.ts';
import { type Shape, underLoad } from '../contenders.ts';
import { runLoad, type Sample } from '../load-order.ts';
import { interleave, mediansOf } from '../signature-batches.ts';
import { percentile } from '../statistics.ts';
import type { Measure } from './plan.ts';

const FACTOR = 3;
/** Many callers, each with a connection of its own, so that the limit of streams does not shield the server. */
const CONNECTIONS = 64;
/** The peak is that of the same connections, each with one call open: what they cost the server is in both. */
const CALLERS: Shape = { connections: CONNECTIONS, streams: 1 };
/** A caller that gets its answer later than this has given up: it is no goodput. */
const DEADLINE_MS = 1_000;
const CALM_SECONDS = 2;
/** A first storm and a pause, which count for nothing: like everything that is measured here, rejections are warmed up. */
const WARM_UP_SECONDS = { storm: 1, pause: 1 };
const WINDOW_MS = 250;
/** A window is calm when nearly all its calls go well and quickly; a second of such windows is a recovery. */
const CALM_SHARE = 0.99;
const CALM_MS = 50;
const CALM_WINDOWS = 4;
/** RESOURCE_EXHAUSTED and UNAVAILABLE: the answers of a service that sheds load. */
const REJECTIONS: ReadonlySet<number | undefined> = new Set([8, 14]);

export const measureOverload: Measure = async (bench, { rounds, overload }) => {
  await using ours = await startAuthority(bench);
  const sides = await interleave([await underLoad(bench, ours, 'append', CALLERS)], {
    ...rounds,
    rounds: overload.peakRounds,
  });
  const [side] = sides;
  const { perSecond: peak } = mediansOf(side!);
  const warmUp = { perSecond: peak * FACTOR, seconds: WARM_UP_SECONDS.storm };
  const calm = { perSecond: peak / 2, seconds: WARM_UP_SECONDS.pause + CALM_SECONDS };
  const storm = { perSecond: peak * FACTOR, seconds: overload.seconds };
  const after = { perSecond: peak / 2, seconds: overload.recoverySeconds };
  const { samples, generatorBusy } = await runLoad({
    loop: 'open',
    servers: [{ url: ours.url, pid: ours.pid }],
    work: 'append',
    keyFile: bench.keyFile,
    connections: CONNECTIONS,
    phases: [warmUp, calm, storm, after],
    deadlineMs: DEADLINE_MS,
  });
  const stormFrom = (warmUp.seconds + calm.seconds) * 1000;
  const stormTo = stormFrom + storm.seconds * 1000;
  const calmFrom = stormFrom - CALM_SECONDS * 1000;
  const before = samples
    .filter(({ dueMs }) => dueMs >= calmFrom && dueMs < stormFrom)
    .map(({ latencyMs }) => latencyMs ?? DEADLINE_MS);
  // As quick as before the storm: a machine that is not quick at half load has nothing quicker to come back to.
  const calmMs = Math.max(CALM_MS, 2 * percentile(before, CALM_SHARE));
  const found = readStorm(samples, stormFrom, stormTo);
  return {
    name: 'overload',
    title: `Overload at ${FACTOR}×`,
    unit: 'calls',
    sides,
    goals: [
      { text: 'goodput ÷ peak', value: (100 * found.goodPerSecond) / peak, limit: 80, kind: 'at least', unit: '%' },
      { text: 'refusals, p99', value: found.rejectionP99Ms, limit: 50, kind: 'at most', unit: 'ms' },
      { text: 'recovery', value: recoverySeconds(samples, stormTo, calmMs), limit: 5, kind: 'at most', unit: 's' },
    ],
    notes: [
      `AppendLedger, ${Math.round(storm.perSecond)} calls a second for ${storm.seconds} s over ${CONNECTIONS} connections, deadline ${DEADLINE_MS} ms: ` +
        `${found.good} answered in time, ${found.rejected} rejected, ${found.lost} neither. Generator ${Math.round(100 * generatorBusy)} % busy.`,
      `Recovered: for a whole second at half load ${100 * CALM_SHARE} % of the calls are answered within ${Math.round(calmMs)} ms.`,
    ],
  };
};

interface Storm {
  readonly good: number;
  readonly rejected: number;
  readonly lost: number;
  readonly goodPerSecond: number;
  /** From the sending of a call to its rejection. Undefined: nothing was rejected. */
  readonly rejectionP99Ms: number | undefined;
}

/** What became of the calls that were due in this time. */
export function readStorm(samples: readonly Sample[], fromMs: number, toMs: number): Storm {
  const within = samples.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs);
  const good = within.filter((sample) => isGood(sample, DEADLINE_MS)).length;
  const refusals = within
    .filter(({ status }) => REJECTIONS.has(status))
    .map(({ sinceSentMs }) => sinceSentMs ?? Number.NaN);
  return {
    good,
    rejected: refusals.length,
    lost: within.length - good - refusals.length,
    goodPerSecond: (good * 1000) / (toMs - fromMs),
    rejectionP99Ms: refusals.length === 0 ? undefined : percentile(refusals, 0.99),
  };
}

/** Seconds from the end of the storm to the first whole second that is calm. Undefined: there was none. */
export function recoverySeconds(samples: readonly Sample[], stormEndMs: number, calmMs: number): number | undefined {
  const windows: Sample[][] = [];
  for (const sample of samples) {
    const place = Math.floor((sample.dueMs - stormEndMs) / WINDOW_MS);
    if (place < 0) continue;
    windows[place] ??= [];
    windows[place].push(sample);
  }
  const calm = windows.map((window) => isCalm(window, calmMs));
  const first = calm.findIndex((_, place) => isWholeSecond(calm.slice(place, place + CALM_WINDOWS)));
  return first < 0 ? undefined : (first * WINDOW_MS) / 1000;
}

function isWholeSecond(calm: readonly boolean[]): boolean {
  return calm.length === CALM_WINDOWS && calm.every(Boolean);
}

function isCalm(window: readonly Sample[], calmMs: number): boolean {
  return window.filter((sample) => isGood(sample, calmMs)).length >= CALM_SHARE * window.length;
}

function isGood({ status, latencyMs }: Sample, withinMs: number): boolean {
  return status === 0 && latencyMs !== undefined && latencyMs <= withinMs;
}
