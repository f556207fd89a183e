// The metrics of the write quotas of callers. The quotas are read when the metrics are read.

import { Gauge, type Registry } from 'prom-client';

/** Returns the state of the write quotas. */
export type ReadQuotas = () => { readonly callers: number; readonly used: number };

export function createQuotaGauges(registers: Registry[]) {
  let read: ReadQuotas = () => ({ callers: 0, used: 0 });
  new Gauge({
    name: 'ect_caller_write_quotas',
    help: 'Callers that have used part of their write quota within the last hour.',
    registers,
    collect() {
      this.set(read().callers);
    },
  });
  new Gauge({
    name: 'ect_caller_write_quota_used_ratio',
    help: 'The largest share of its quota that a caller has used up, 0 to 1.',
    aggregator: 'max',
    registers,
    collect() {
      this.set(read().used);
    },
  });
  return {
    from: (source: ReadQuotas): void => {
      read = source;
    },
  };
}
