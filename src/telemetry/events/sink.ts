// The output of events: lines and metrics.

import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { standardError } from '../event-output.ts';
import { createMetrics, type Metrics } from '../metrics.ts';

export interface EventsOptions {
  readonly level: LevelWithSilent;
  /** The output of lines. Default: standard error; standard output is for results. */
  readonly destination?: DestinationStream;
  /** The number of this worker process, which each line contains; undefined if there is only one process. */
  readonly worker?: number;
}

export interface EventSink {
  readonly lines: Logger;
  readonly metrics: Metrics;
  /** Writes a line that is already formatted. */
  readonly output: DestinationStream;
  readonly worker: number | undefined;
  /** Writes all lines at once, so that a crash cannot lose them. */
  readonly flushNow: () => void;
}

export function openSink(options: EventsOptions): EventSink {
  const { worker } = options;
  const output = options.destination ?? standardError(worker !== undefined);
  const base = worker === undefined ? null : { worker };
  const lines = pino(
    { level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: levelName } },
    output,
  );
  const flushNow = () => {
    if ('flushSync' in output && typeof output.flushSync === 'function') output.flushSync();
  };
  return { lines, metrics: createMetrics(), output, worker, flushNow };
}

function levelName(label: string): { readonly level: string } {
  return { level: label };
}
