// The state of a service that an attack must not change for good: descriptors, memory, what it waits for.

import type { ServiceProcess } from '../../support/service-process.ts';
import { sampleProcess } from './process-samples.ts';
import { scrape } from './scrape.ts';
import type { Target } from './target.ts';
import { MIB, mib } from './verdict.ts';

export interface State {
  readonly descriptors: number;
  /** What lives: the heap that is used, and the buffers outside of it. */
  readonly liveBytes: number;
  /** Sockets, timers and the like that keep the event loop busy. */
  readonly resources: number;
  readonly internal: number;
  readonly bugs: number;
  /** The longest that the event loop was held since the last look. */
  readonly loopDelayMs: number;
}

/** The honest caller's fresh connections come and go, and a store may open a file. */
const MORE_DESCRIPTORS = 8;
const MORE_RESOURCES = 12;
/**
 * Caches that fill with use, and what was compiled. Garbage is collected before the comparison. Resident memory is no measure of what came
 * back: the allocator keeps freed pages for the next time, and it has its own bound.
 */
const MORE_LIVE_BYTES = 64 * MIB;

export async function stateOf(service: ServiceProcess, target: Target): Promise<State> {
  const [sample, metrics] = await Promise.all([sampleProcess(service.pid), scrape(target)]);
  if (sample === undefined) throw new Error('the service has ended');
  return {
    descriptors: sample.descriptors,
    liveBytes: metrics.sum('nodejs_heap_size_used_bytes') + metrics.sum('nodejs_external_memory_bytes'),
    resources: metrics.sum('nodejs_active_resources_total'),
    internal: metrics.sum('ect_calls_total', 'code="INTERNAL"') + metrics.sum('ect_calls_total', 'code="UNKNOWN"'),
    bugs: metrics.sum('ect_bugs_total'),
    loopDelayMs: 1000 * metrics.sum('ect_event_loop_delay_seconds', 'quantile="1"'),
  };
}

/** What there is more of than before. */
export function remainsOf(before: State, now: State): readonly string[] {
  const remains: string[] = [];
  const look = (what: string, value: number, allowed: number, text: (value: number) => string) => {
    if (value > allowed) remains.push(`${text(value)} ${what}, at most ${text(allowed)} expected`);
  };
  look('open descriptors', now.descriptors, before.descriptors + MORE_DESCRIPTORS, String);
  look('active resources', now.resources, before.resources + MORE_RESOURCES, String);
  look('MiB of memory', now.liveBytes, before.liveBytes + MORE_LIVE_BYTES, mib);
  return remains;
}
