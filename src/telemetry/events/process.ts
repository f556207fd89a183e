// Events of the process and its workers.

import { round } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function processEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** The service accepts connections. */
    started(facts: Readonly<Record<string, string | number | boolean>>): void {
      lines.info({ event: 'started', ...facts });
      flushNow();
    },

    /** Callers are not authenticated, on an address that other machines may be able to reach. */
    anonymousOpen(address: string): void {
      lines.warn({ event: 'anonymous-open', address, warning: 'every caller may issue under the default issuer' });
    },

    /** A setting may not have the effect that the operator intended. */
    settingsDoubtful(warning: string): void {
      lines.warn({ event: 'settings-doubtful', warning });
    },

    /** The service stops: new calls are rejected, calls in flight may finish. */
    draining(graceMs: number): void {
      lines.info({ event: 'draining', graceMs });
    },

    /** The last connection is closed. `cut` is the number of connections that were closed at the end of the grace period. */
    stopped(cut: number): void {
      lines.info({ event: 'stopped', cut });
    },

    /** A connection did not reach a worker that has no free file descriptor. The worker gets no further connection, so it is replaced. */
    workerDeaf(number: number): void {
      const warning =
        'a connection did not reach the worker (descriptors-low), and it can receive no other: it is replaced';
      lines.error({ event: 'worker-deaf', worker: number, warning });
      flushNow();
    },

    /** A worker died or could not start. `pauseMs`: the time until it is restarted; undefined: it is not. */
    workerEnded(end: {
      readonly worker: number;
      readonly how: number | string;
      readonly livedMs: number;
      readonly pauseMs: number | undefined;
    }): void {
      metrics.workersEnded.inc();
      const { how, livedMs, pauseMs } = end;
      const line = { event: 'worker-ended', worker: end.worker, how, livedMs: round(livedMs) };
      if (pauseMs === undefined) lines.error({ ...line, restarted: false });
      else lines.warn({ ...line, restarted: true, pauseMs });
      flushNow();
    },
  };
}
