// The SPIFFE Workload API.

import { cleanText, MAX_WHY_LENGTH } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** An identity of the service. */
export interface SvidInForce {
  readonly spiffeId: string;
  readonly notAfterMs: number;
  readonly trustDomains: readonly string[];
  /** A sentence for each federated bundle that is not used. */
  readonly problems: readonly string[];
}

export function workloadApiEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** A stream of the SPIFFE Workload API brings messages again. */
    workloadApiUp(stream: string): void {
      metrics.workloadApiUp.set({ stream }, 1);
      lines.info({ event: 'workload-api-up', stream });
    },

    /** It ended, or cannot be opened; it is tried again. `isNews`: it differs from the last report. */
    workloadApiDown(stream: string, why: string, isNews: boolean): void {
      metrics.workloadApiUp.set({ stream }, 0);
      if (isNews) lines.error({ event: 'workload-api-down', stream, why: cleanText(why) });
      flushNow();
    },

    /** A message of the SPIFFE Workload API cannot be used: what came before stays in force. */
    workloadApiRejected(stream: string, why: string): void {
      metrics.workloadApiUpdates.inc({ outcome: 'refused' });
      lines.error({ event: 'workload-api-refused', stream, why: cleanText(why) });
      flushNow();
    },

    /** The identity of the service, and the trust domains whose workloads it knows. */
    svidInForce({ spiffeId, notAfterMs, trustDomains, problems }: SvidInForce): void {
      metrics.workloadApiUpdates.inc({ outcome: 'replaced' });
      const line = { event: 'svid-in-force', spiffeId, notAfter: new Date(notAfterMs).toISOString(), trustDomains };
      if (problems.length === 0) lines.info(line);
      else lines.warn({ ...line, refused: problems.join('; ').slice(0, MAX_WHY_LENGTH) });
    },

    /** The service has no identity any more, and rejects its callers. */
    svidLost(why: string): void {
      metrics.workloadApiUpdates.inc({ outcome: 'lost' });
      lines.error({ event: 'svid-lost', why });
      flushNow();
    },
  };
}
