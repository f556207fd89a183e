// The metrics of calls, which are the only ones that change with every call.

import { Counter, type Registry } from 'prom-client';
import { DurationHistogram, type Durations } from './duration-histogram.ts';

/** Returns a counter of calls and their durations. There are few label sets, and each is looked up once. */
export function createCallCounter(registers: Registry[]) {
  const known: CallSeries[] = [];
  // Keyed by method, code and reason. These strings exist already; a combined key would have to be built and hashed for each call.
  const byMethod = new Map<string, Map<string, Map<string, CallSeries>>>();
  const calls = new Counter({
    name: 'ect_calls_total',
    help: 'Calls by method, gRPC code and reason of rejection.',
    labelNames: ['method', 'code', 'reason'],
    registers,
    // The library builds the labels anew for each increment, so calls are counted here until the metrics are read.
    collect: () => {
      for (const series of known) {
        calls.inc(series.labels, series.uncollected);
        series.uncollected = 0;
      }
    },
  });
  const callSeconds = new DurationHistogram({
    name: 'ect_call_duration_seconds',
    help: 'Duration of a call, from its headers to its answer.',
    labelName: 'method',
    bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 60],
  });
  for (const registry of registers) registry.registerMetric(callSeconds.asMetric());
  return (method: string, code: string, reason: string, seconds: number): void => {
    const byReason = mapIn(mapIn(byMethod, method), code);
    let series = byReason.get(reason);
    if (series === undefined) {
      series = { labels: { method, code, reason }, uncollected: 0, duration: callSeconds.labels(method) };
      byReason.set(reason, series);
      known.push(series);
    }
    series.uncollected++;
    series.duration.observe(seconds);
  };
}

/** Returns the map under a name, and creates it if it does not exist. */
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
  /** The calls since the counter was last read. */
  uncollected: number;
  readonly duration: Durations;
}
