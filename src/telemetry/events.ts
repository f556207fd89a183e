// The events of the service. Each has one function, which writes its line and updates its metrics, so that the two always agree. Events
// contain no tokens, messages or keys; text that a caller chose is cleaned and shortened.

import { callerEvents } from './events/callers.ts';
import { callEvents } from './events/calls.ts';
import { clockEvents } from './events/clock.ts';
import { connectionEvents } from './events/connections.ts';
import { dependencyEvents } from './events/dependencies.ts';
import { fileEvents } from './events/files.ts';
import { foreignIssuerEvents } from './events/foreign-issuers.ts';
import { keyEvents } from './events/keys.ts';
import { ledgerEvents } from './events/ledger.ts';
import { processEvents } from './events/process.ts';
import { type EventsOptions, openSink } from './events/sink.ts';
import { storageEvents } from './events/storage.ts';
import { tokenEvents } from './events/tokens.ts';
import { workloadApiEvents } from './events/workload-api.ts';
import type { MetricsSnapshot } from './metrics.ts';

export type { FinishedCall } from './event-lines.ts';
export type { EventsOptions } from './events/sink.ts';
export type { MetricsSnapshot } from './metrics.ts';

export type Events = ReturnType<typeof createEvents>;

/** Returns the events of one service. Call `close` at its end. */
export function createEvents(options: EventsOptions) {
  const sink = openSink(options);
  const { metrics } = sink;
  return {
    ...callEvents(sink),
    ...callerEvents(sink),
    ...tokenEvents(sink),
    ...connectionEvents(sink),
    ...processEvents(sink),
    ...ledgerEvents(sink),
    ...dependencyEvents(sink),
    ...keyEvents(sink),
    ...foreignIssuerEvents(sink),
    ...fileEvents(sink),
    ...workloadApiEvents(sink),
    ...storageEvents(sink),
    ...clockEvents(sink),

    /** Returns the metrics as data. */
    snapshot(): Promise<MetricsSnapshot> {
      return metrics.registry.getMetricsAsJSON();
    },

    /** Returns the metrics in the Prometheus text format. */
    metrics(): Promise<string> {
      return metrics.registry.metrics();
    },

    close(): void {
      metrics.close();
      sink.flushNow();
    },
  };
}
