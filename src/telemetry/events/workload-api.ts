// Events of the SPIFFE Workload API.

import { cleanText, MAX_WHY_LENGTH } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** The identity of the service. */
export interface SvidInForce {
  readonly spiffeId: string;
  readonly notAfterMs: number;
  readonly trustDomains: readonly string[];
  /** A sentence for each unusable federated bundle. */
  readonly problems: readonly string[];
}

export function workloadApiEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** A stream of the SPIFFE Workload API receives messages again. */
    workloadApiUp(stream: string): void {
      metrics.workloadApiUp.set({ stream }, 1);
      lines.info({ event: 'workload-api-up', stream });
    },

    /** A stream ended or cannot be opened; that is repeated. `isNews`: the failure differs from the last report. */
    workloadApiDown(stream: string, why: string, isNews: boolean): void {
      metrics.workloadApiUp.set({ stream }, 0);
      if (isNews) lines.error({ event: 'workload-api-down', stream, why: cleanText(why) });
      flushNow();
    },

    /** A message of the SPIFFE Workload API is invalid: the previous state stays in use. */
    workloadApiRejected(stream: string, why: string): void {
      metrics.workloadApiUpdates.inc({ outcome: 'refused' });
      lines.error({ event: 'workload-api-refused', stream, why: cleanText(why) });
      flushNow();
    },

    /** The identity of the service, and the trust domains for which it has CAs. */
    svidInForce({ spiffeId, notAfterMs, trustDomains, problems }: SvidInForce): void {
      metrics.workloadApiUpdates.inc({ outcome: 'replaced' });
      const line = { event: 'svid-in-force', spiffeId, notAfter: new Date(notAfterMs).toISOString(), trustDomains };
      if (problems.length === 0) lines.info(line);
      else lines.warn({ ...line, refused: problems.join('; ').slice(0, MAX_WHY_LENGTH) });
    },

    /** The service has no identity any more, so its callers cannot connect. */
    svidLost(why: string): void {
      metrics.workloadApiUpdates.inc({ outcome: 'lost' });
      lines.error({ event: 'svid-lost', why });
      flushNow();
    },
  };
}
