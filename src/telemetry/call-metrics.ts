// The metrics of calls: the only ones that move with every call.

import { Counter, Histogram, type Registry } from 'prom-client';

/** Counts calls and their durations. The label sets are few, and each is looked up once. */
export function createCallCounter(registers: Registry[]) {
  const known: CallSeries[] = [];
  // By method, code and reason: names that are there already, where one that is put together would have to be hashed.
  const byMethod = new Map<string, Map<string, Map<string, CallSeries>>>();
  const calls = new Counter({
    name: 'ect_calls_total',
    help: 'Calls by method, gRPC code and reason of rejection.',
    labelNames: ['method', 'code', 'reason'],
    registers,
    // The library puts the labels together anew for each count, so calls are counted here until somebody asks.
    collect: () => {
      for (const series of known) {
        calls.inc(series.labels, series.uncollected);
        series.uncollected = 0;
      }
    },
  });
  const callSeconds = new Histogram({
    name: 'ect_call_duration_seconds',
    help: 'Duration of a call, from its headers to its answer.',
    labelNames: ['method'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 60],
    registers,
  });
  return (method: string, code: string, reason: string, seconds: number): void => {
    const byReason = mapIn(mapIn(byMethod, method), code);
    let series = byReason.get(reason);
    if (series === undefined) {
      series = { labels: { method, code, reason }, uncollected: 0, duration: callSeconds.labels({ method }) };
      byReason.set(reason, series);
      known.push(series);
    }
    series.uncollected++;
    series.duration.observe(seconds);
  };
}

/** The map under a name; made where there is none. */
function mapIn<T>(maps: Map<string, Map<string, T>>, name: string): Map<string, T> {
  let map = maps.get(name);
  if (map === undefined) {
    map = new Map();
    maps.set(name, map);
  }
  return map;
}

interface CallSeries {
  readonly labels: { readonly method: string; readonly code: string; readonly reason: string };
  /** Calls since the last time that the counter was read. */
  uncollected: number;
  readonly duration: Histogram.Internal<'method'>;
}
