// Connections, and the limits that they meet.

import type { LimitName } from '../../limits/index.ts';
import { describeCause } from '../event-lines.ts';
import { LineRateLimit } from '../line-rate-limit.ts';
import type { EventSink } from './sink.ts';

/** File descriptors that are left, of how many. */
export interface DescriptorCount {
  readonly free: number;
  readonly limit: number;
  readonly isLow: boolean;
}

/** Between two lines that a peer can cause at will, in milliseconds. */
const LINE_INTERVAL_MS = 60_000;

export function connectionEvents({ lines, metrics, flushNow }: EventSink) {
  const fullLines = new LineRateLimit(LINE_INTERVAL_MS);
  const acceptLines = new LineRateLimit(LINE_INTERVAL_MS);
  return {
    /** A connection ended before it carried a call: `tls`, `certificates`, `blocked`, `first-bytes`, `records`, `h1` or `h2`. */
    connectionFailed(stage: string, cause: unknown): void {
      metrics.connectionFailures.inc({ stage });
      lines.debug({ event: 'connection-failed', stage, cause: describeCause(cause) });
    },

    /** A connection could not be taken from the system: it has no descriptor, or no memory, for it. */
    acceptFailed(cause: unknown): void {
      metrics.connectionFailures.inc({ stage: 'accept' });
      const leftOut = acceptLines.next();
      if (leftOut === undefined) return;
      lines.error({ event: 'accept-failed', leftOut, cause: describeCause(cause) });
      flushNow();
    },

    /** The limit of descriptors allows fewer connections than the settings. */
    descriptorsFew(warning: string): void {
      lines.warn({ event: 'descriptors-few', warning });
    },

    /** Descriptors were counted. `changed`: from now on few are left, or enough again. */
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

    /** A limit was reached: something was rejected, or evicted for others. */
    limitMet(limit: LimitName): void {
      metrics.limitsMet.inc({ limit });
      const leftOut = limit === 'connections' ? fullLines.next() : undefined;
      if (leftOut === undefined) return;
      const warning = 'for each new connection, an idle connection is closed, or the new one is rejected';
      lines.warn({ event: 'connections-full', leftOut, warning });
    },

    /** How much of each limit is in use, whenever somebody asks for the metrics. */
    watchLimits(inUse: () => Readonly<Partial<Record<LimitName, number>>>): void {
      metrics.watchLimits(inUse);
    },
  };
}
