// Where events go: lines and metrics.

import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { standardError } from '../event-output.ts';
import { createMetrics, type Metrics } from '../metrics.ts';

export interface EventsOptions {
  readonly level: LevelWithSilent;
  /** Where lines go. Default: standard error; standard output is for what a person asked to see. */
  readonly destination?: DestinationStream;
  /** The number of this process where there are several: every line carries it. */
  readonly worker?: number;
}

export interface EventSink {
  readonly lines: Logger;
  readonly metrics: Metrics;
  /** For a line that is complete. */
  readonly output: DestinationStream;
  readonly worker: number | undefined;
  /** For lines that must not be lost, whatever happens next. */
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
