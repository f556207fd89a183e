// The start and the end of the process, and of its workers.

import { round } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function processEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** The service accepts connections. */
    started(facts: Readonly<Record<string, string | number | boolean>>): void {
      lines.info({ event: 'started', ...facts });
      flushNow();
    },

    /** Callers are not authenticated, on an address that other machines may reach. */
    anonymousOpen(address: string): void {
      lines.warn({ event: 'anonymous-open', address, warning: 'every caller may issue under the default issuer' });
    },

    /** Settings may not mean what the operator meant. */
    settingsDoubtful(warning: string): void {
      lines.warn({ event: 'settings-doubtful', warning });
    },

    /** No new call is taken; those in flight may finish. */
    draining(graceMs: number): void {
      lines.info({ event: 'draining', graceMs });
    },

    /** The last connection is closed. `cut` counts those that the end of the grace cut off. */
    stopped(cut: number): void {
      lines.info({ event: 'stopped', cut });
    },

    /** A connection did not reach a worker that has no descriptor left. It gets no other, so another takes its place. */
    workerDeaf(number: number): void {
      const warning =
        'a connection did not reach the worker (descriptors-low), and it can receive no other: it is replaced';
      lines.error({ event: 'worker-deaf', worker: number, warning });
      flushNow();
    },

    /** A worker died, or could not start. `pauseMs`: another follows after that time; undefined: none does. */
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
