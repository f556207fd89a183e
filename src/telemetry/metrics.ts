// The metrics of one process, in a registry of its own, without global state.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { VERSION } from '../version.ts';
import { createCallCounter } from './call-metrics.ts';
import { createQuotaGauges } from './quota-metrics.ts';

export type { ReadQuotas } from './quota-metrics.ts';

/** The metrics of a process at one time, in a form that can be added to those of others. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export type Metrics = ReturnType<typeof createMetrics>;

/** Returns the metrics of one service. Label values are bounded: none is text that a caller chose. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'ect_build_info',
    help: 'Always 1; the labels say which release runs, and on which Node.',
    labelNames: ['version', 'node'],
    // The value is a fact that is the same for all workers, so it is not added up.
    aggregator: 'max',
    registers,
  }).set({ version: VERSION, node: process.versions.node }, 1);
  new Gauge({
    name: 'ect_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape.',
    labelNames: ['quantile'],
    aggregator: 'max',
    registers,
    collect() {
      for (const quantile of [50, 99, 100]) {
        this.set({ quantile: String(quantile / 100) }, delay.count === 0 ? 0 : delay.percentile(quantile) / 1e9);
      }
      delay.reset();
    },
  });
  let limitsInUse: () => Readonly<Record<string, number>> = () => ({});
  new Gauge({
    name: 'ect_limit_in_use',
    help: 'How much of each limit is in use.',
    labelNames: ['limit'],
    registers,
    collect() {
      for (const [limit, used] of Object.entries(limitsInUse())) this.set({ limit }, used);
    },
  });
  return {
    registry,
    close: () => delay.disable(),
    watchLimits: (inUse: () => Readonly<Record<string, number>>) => {
      limitsInUse = inUse;
    },
    limitsMet: new Counter({
      name: 'ect_limit_met_total',
      help: 'Times that a limit was reached: something was rejected, or closed for others.',
      labelNames: ['limit'],
      registers,
    }),
    countCall: createCallCounter(registers),
    bugs: new Counter({ name: 'ect_bugs_total', help: 'INTERNAL failures.', labelNames: ['method'], registers }),
    connectionFailures: new Counter({
      name: 'ect_connection_failures_total',
      help: 'Connections that failed or were closed for what their peers did, by stage: accept, blocked (its network had cost too much), tls, certificates (a long chain without trust), first-bytes, records (TLS records without data), h1, h2.',
      labelNames: ['stage'],
      registers,
    }),
    dependencyFailures: new Counter({
      name: 'ect_dependency_failures_total',
      help: 'Failures of dependencies: the ledger, the replay guard, the signer.',
      labelNames: ['reason'],
      registers,
    }),
    policyRejections: new Counter({
      name: 'ect_policy_refusals_total',
      help: 'Calls, and items of batches, that the policy of the operator rejected.',
      registers,
    }),
    keyChanges: new Counter({
      name: 'ect_key_changes_total',
      help: 'Changes of signing keys that this process has read from the ledger.',
      labelNames: ['state'],
      registers,
    }),
    keyFailures: new Counter({
      name: 'ect_key_failures_total',
      help: 'Failures to read, change or open signing keys; each is retried.',
      registers,
    }),
    reloads: new Counter({
      name: 'ect_reloads_total',
      help: 'Configuration files that changed while the service ran: reloaded, or rejected.',
      labelNames: ['files', 'outcome'],
      registers,
    }),
    reloadRejected: new Gauge({
      name: 'ect_reload_refused',
      help: 'Whether the files on disk are invalid, so that the previous ones stay in force.',
      labelNames: ['files'],
      aggregator: 'max',
      registers,
    }),
    certificateExpiry: new Gauge({
      name: 'ect_certificate_expiry_timestamp_seconds',
      help: 'When the certificate in force ends, in seconds since the epoch: the first to end of its file.',
      labelNames: ['certificate'],
      aggregator: 'min',
      registers,
    }),
    workloadApiUp: new Gauge({
      name: 'ect_workload_api_up',
      help: 'Whether a stream of the SPIFFE Workload API is open: x509, or jwt. Of several workers, the minimum.',
      labelNames: ['stream'],
      aggregator: 'min',
      registers,
    }),
    workloadApiUpdates: new Counter({
      name: 'ect_workload_api_updates_total',
      help: 'Identities from the SPIFFE Workload API: used, rejected as unusable, or lost.',
      labelNames: ['outcome'],
      registers,
    }),
    foreignKeyFetches: new Counter({
      name: 'ect_foreign_key_fetches_total',
      help: 'Fetches of the key set of a foreign issuer: successful, or failed.',
      labelNames: ['issuer', 'outcome'],
      registers,
    }),
    foreignKeys: new Gauge({
      name: 'ect_foreign_keys',
      help: 'Keys of a foreign issuer that are in use; 0: none of its tokens is trusted. Of several workers, the minimum.',
      labelNames: ['issuer'],
      aggregator: 'min',
      registers,
    }),
    signerRegionDown: new Gauge({
      name: 'ect_signer_region_down',
      help: 'Whether a region of the key service is out of use; of several workers, for how many.',
      labelNames: ['region'],
      registers,
    }),
    redisDown: new Gauge({
      name: 'ect_redis_down',
      help: 'Whether the replay guard in Redis cannot be used; of several workers, for how many.',
      registers,
    }),
    descriptorsFree: new Gauge({
      name: 'ect_descriptors_free',
      help: 'File descriptors that the process may still open; of several workers, the minimum.',
      aggregator: 'min',
      registers,
    }),
    signingKeyMissing: new Gauge({
      name: 'ect_signing_key_missing',
      help: 'Whether nothing is issued because the signing key cannot be opened or used; of several workers, in how many.',
      registers,
    }),
    databaseDown: new Gauge({
      name: 'ect_database_down',
      help: 'Whether no primary of the PostgreSQL database can be used.',
      registers,
    }),
    workersEnded: new Counter({
      name: 'ect_workers_ended_total',
      help: 'Workers that died, or could not start.',
      registers,
    }),
    equivocations: new Counter({
      name: 'ect_equivocations_total',
      help: 'Times that two different tokens of one issuer were found for one task.',
      labelNames: ['seen_by'],
      registers,
    }),
    levelRejections: new Counter({
      name: 'ect_level_refusals_total',
      help: 'Tokens that were rejected because their level is below the minimum.',
      labelNames: ['minimum'],
      registers,
    }),
    backgroundAppends: new Counter({
      name: 'ect_background_appends_total',
      help: 'Background appends that have ended: recorded (landed), or failed.',
      labelNames: ['outcome'],
      registers,
    }),
    callerWriteBytes: new Counter({
      name: 'ect_caller_write_bytes_total',
      help: 'Bytes charged to the quotas of callers for writes, and refunded if nothing was written.',
      labelNames: ['use', 'direction'],
      registers,
    }),
    callerWriteRejections: new Counter({
      name: 'ect_caller_write_refusals_total',
      help: 'Writes for callers that were rejected, because of their quota or of the free space.',
      labelNames: ['use', 'reason'],
      registers,
    }),
    callerWriteQuotas: createQuotaGauges(registers),
    storageFree: new Gauge({
      name: 'ect_storage_free_bytes',
      help: 'Free space of the file system that the data directory is on.',
      aggregator: 'min',
      registers,
    }),
    storageFloor: new Gauge({
      name: 'ect_storage_floor_bytes',
      help: 'Free space below which nothing is written for callers.',
      aggregator: 'max',
      registers,
    }),
    storageReplaced: new Gauge({
      name: 'ect_storage_replaced',
      help: 'Whether a file of the data directory was deleted or replaced under the running service: 1, or 0.',
      aggregator: 'max',
      registers,
    }),
    clockDoubted: new Gauge({
      name: 'ect_clock_doubted',
      help: 'Whether the wall clock is not trusted, so that nothing is issued or recorded.',
      aggregator: 'max',
      registers,
    }),
    clockAhead: new Gauge({
      name: 'ect_clock_ahead_seconds',
      help: 'By how much the wall clock is ahead of the trusted time.',
      aggregator: 'average',
      registers,
    }),
    backgroundLease: new Gauge({
      name: 'ect_background_lease',
      help: 'Whether this replica has the lease for background work: 1, or 0.',
      registers,
    }),
    clockAheadOfDatabase: new Gauge({
      name: 'ect_clock_ahead_of_database_seconds',
      help: 'By how much the trusted time is ahead of the clock of the shared database.',
      registers,
    }),
    storageFailures: new Counter({
      name: 'ect_storage_failures_total',
      help: 'Failures of the disk under a file: in a statement, a sync, while pages were moved, or while it was scrubbed.',
      labelNames: ['file', 'stage'],
      registers,
    }),
    storageDamaged: new Gauge({
      name: 'ect_storage_damaged',
      help: 'Whether a file is known to be damaged, so that nothing is written to it.',
      labelNames: ['file'],
      aggregator: 'max',
      registers,
    }),
    scrubbedEntries: new Counter({
      name: 'ect_ledger_scrubbed_entries_total',
      help: 'Entries of the ledger that the scrub has examined.',
      registers,
    }),
    scrubPassed: new Gauge({
      name: 'ect_scrub_passed_timestamp_seconds',
      help: 'When the scrub last completed a pass over the whole file without a finding, in seconds since the epoch.',
      labelNames: ['file'],
      aggregator: 'max',
      registers,
    }),
    ledgerSize: new Gauge({
      name: 'ect_ledger_size',
      help: 'Entries in the ledger.',
      aggregator: 'max',
      registers,
    }),
    commitEntries: new Histogram({
      name: 'ect_ledger_commit_entries',
      help: 'Entries that became durable in one commit.',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000],
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'ect_ledger_commit_seconds',
      help: 'Duration of one commit.',
      buckets: [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1, 5],
      registers,
    }),
  };
}
