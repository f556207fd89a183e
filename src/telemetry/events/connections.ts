// Events of connections and their limits.

import type { LimitName } from '../../limits/index.ts';
import { describeCause } from '../event-lines.ts';
import { LineRateLimit } from '../line-rate-limit.ts';
import type { EventSink } from './sink.ts';

/** The number of free file descriptors, and their limit. */
export interface DescriptorCount {
  readonly free: number;
  readonly limit: number;
  readonly isLow: boolean;
}

/** Where a connection failed. docs/operating.md says what each means. */
export const CONNECTION_FAILURE_STAGES = [
  'accept',
  'blocked',
  'tls',
  'certificates',
  'first-bytes',
  'records',
  'h1',
  'h2',
] as const;
export type ConnectionFailureStage = (typeof CONNECTION_FAILURE_STAGES)[number];

/** The minimum time between two lines that a peer can cause at will, in milliseconds. */
const LINE_INTERVAL_MS = 60_000;

export function connectionEvents({ lines, metrics, flushNow }: EventSink) {
  const fullLines = new LineRateLimit(LINE_INTERVAL_MS);
  const acceptLines = new LineRateLimit(LINE_INTERVAL_MS);
  return {
    /** A connection failed, or was closed for what its peer sent or did not read. */
    connectionFailed(stage: ConnectionFailureStage, cause: unknown): void {
      metrics.connectionFailures.inc({ stage });
      lines.debug({ event: 'connection-failed', stage, cause: describeCause(cause) });
    },

    /** The system could not accept a connection, because it has no file descriptor or no memory for it. */
    acceptFailed(cause: unknown): void {
      const stage: ConnectionFailureStage = 'accept';
      metrics.connectionFailures.inc({ stage });
      const leftOut = acceptLines.next();
      if (leftOut === undefined) return;
      lines.error({ event: 'accept-failed', leftOut, cause: describeCause(cause) });
      flushNow();
    },

    /** The limit of file descriptors allows fewer connections than the settings. */
    descriptorsFew(warning: string): void {
      lines.warn({ event: 'descriptors-few', warning });
    },

    /** File descriptors were counted. `changed`: they became few, or sufficient again. */
    descriptorsMeasured({ free, limit, isLow }: DescriptorCount, changed: boolean): void {
      metrics.descriptorsFree.set(free);
      if (!changed) return;
      const line = { free, limit };
      if (isLow) {
        const warning =
          'connections are closed and rejected to keep descriptors free: find what has them open, and raise ulimit -n';
        lines.error({ event: 'descriptors-low', ...line, warning });
        flushNow();
      } else lines.info({ event: 'descriptors-recovered', ...line });
    },

    /** A limit was reached: something was rejected, or evicted in favour of others. */
    limitMet(limit: LimitName): void {
      metrics.limitsMet.inc({ limit });
      const leftOut = limit === 'connections' ? fullLines.next() : undefined;
      if (leftOut === undefined) return;
      const warning = 'for each new connection, an idle connection is closed, or the new one is rejected';
      lines.warn({ event: 'connections-full', leftOut, warning });
    },

    /** Sets the function with which the metrics read how much of each limit is in use. */
    watchLimits(inUse: () => Readonly<Partial<Record<LimitName, number>>>): void {
      metrics.watchLimits(inUse);
    },
  };
}
