// The metrics of one process, in a registry of its own: no global state, and labels that stay few.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { VERSION } from '../version.ts';

/** What the metrics of a process were at some moment, for adding up those of several. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** The metrics of one service in a registry of its own. Labels are bounded: none holds what a caller made up. */
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
    // Of several workers: the fact, not their number.
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
      help: 'Times that a limit was met: something was rejected, or given up for others.',
      labelNames: ['limit'],
      registers,
    }),
    countCall: createCallCounter(registers),
    bugs: new Counter({ name: 'ect_bugs_total', help: 'INTERNAL failures.', labelNames: ['method'], registers }),
    connectionFailures: new Counter({
      name: 'ect_connection_failures_total',
      help: 'Connections that ended before they carried a call.',
      labelNames: ['stage'],
      registers,
    }),
    dependencyFailures: new Counter({
      name: 'ect_dependency_failures_total',
      help: 'Failures of the parts that the service stands on.',
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
      help: 'Changes of signing keys that this process has taken in.',
      labelNames: ['state'],
      registers,
    }),
    keyFailures: new Counter({
      name: 'ect_key_failures_total',
      help: 'Failures to read, change or open signing keys; each is tried again.',
      registers,
    }),
    reloads: new Counter({
      name: 'ect_reloads_total',
      help: 'Files of the configuration that changed while the service ran: put in force, or rejected.',
      labelNames: ['files', 'outcome'],
      registers,
    }),
    reloadRejected: new Gauge({
      name: 'ect_reload_refused',
      help: 'Whether the files on disk cannot be used, so that earlier ones stay in force.',
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
      help: 'Whether a stream of the SPIFFE Workload API stands: x509, or jwt. Of several workers, the least.',
      labelNames: ['stream'],
      aggregator: 'min',
      registers,
    }),
    workloadApiUpdates: new Counter({
      name: 'ect_workload_api_updates_total',
      help: 'Identities that the SPIFFE Workload API has sent: put in force, rejected since they cannot be used, or lost.',
      labelNames: ['outcome'],
      registers,
    }),
    foreignKeyFetches: new Counter({
      name: 'ect_foreign_key_fetches_total',
      help: 'Fetches of the key set of a foreign issuer: taken, or failed.',
      labelNames: ['issuer', 'outcome'],
      registers,
    }),
    foreignKeys: new Gauge({
      name: 'ect_foreign_keys',
      help: 'Keys of a foreign issuer that count now; 0: nothing that it signed is believed. Of several workers, the fewest.',
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
      help: 'File descriptors that the process may still open; of several workers, the fewest.',
      aggregator: 'min',
      registers,
    }),
    signingKeyMissing: new Gauge({
      name: 'ect_signing_key_missing',
      help: 'Whether nothing is issued since the signing key cannot be opened or used; of several workers, in how many.',
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
      help: 'Times that two different tokens of one issuer for one task were seen.',
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
      help: 'Appends in the background that came to their end.',
      labelNames: ['outcome'],
      registers,
    }),
    callerWriteBytes: new Counter({
      name: 'ect_caller_write_bytes_total',
      help: 'Bytes that were taken from the quotas of callers for writes, and given back where nothing was written.',
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
      help: 'Whether the wall clock is not believed, so that nothing is issued or recorded.',
      aggregator: 'max',
      registers,
    }),
    clockAhead: new Gauge({
      name: 'ect_clock_ahead_seconds',
      help: 'What the wall clock is ahead of the time that is believed.',
      aggregator: 'average',
      registers,
    }),
    backgroundLease: new Gauge({
      name: 'ect_background_lease',
      help: 'Whether this replica does what one of all replicas does for the others: 1, or 0.',
      registers,
    }),
    clockAheadOfDatabase: new Gauge({
      name: 'ect_clock_ahead_of_database_seconds',
      help: 'What the time that is believed is ahead of the clock of the database that replicas share.',
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
      help: 'Whether damage of a file is known, so that it is not written any more.',
      labelNames: ['file'],
      aggregator: 'max',
      registers,
    }),
    scrubbedEntries: new Counter({
      name: 'ect_ledger_scrubbed_entries_total',
      help: 'Entries of the ledger that the scrub has read again and examined.',
      registers,
    }),
    scrubPassed: new Gauge({
      name: 'ect_scrub_passed_timestamp_seconds',
      help: 'When the scrub last ended a pass over the whole file that found nothing, in seconds since the epoch.',
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

/** What the quotas of callers say when they are asked. */
export type ReadQuotas = () => { readonly callers: number; readonly used: number };

function createQuotaGauges(registers: Registry[]) {
  let read: ReadQuotas = () => ({ callers: 0, used: 0 });
  new Gauge({
    name: 'ect_caller_write_quotas',
    help: 'Callers that wrote within the last hour, and so have a quota that is not full.',
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

/** Counts calls and their durations. The label sets are few, and each is looked up once. */
function createCallCounter(registers: Registry[]) {
  const known: CallSeries[] = [];
  // By method, code and reason: names that are there already, where one that is put together would have to be hashed.
  const byMethod = new Map<string, Map<string, Map<string, CallSeries>>>();
  const calls = new Counter({
    name: 'ect_calls_total',
    help: 'Calls by method, gRPC code and reason of rejection.',
    labelNames: ['method', 'code', 'reason'],
    registers,
    // The library puts the labels together anew for each count, so calls are counted here until somebody asks.
    collect: () => {
      for (const series of known) {
        calls.inc(series.labels, series.uncollected);
        series.uncollected = 0;
      }
    },
  });
  const callSeconds = new Histogram({
    name: 'ect_call_duration_seconds',
    help: 'From the headers of a call to its answer.',
    labelNames: ['method'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 60],
    registers,
  });
  return (method: string, code: string, reason: string, seconds: number): void => {
    const byReason = mapIn(mapIn(byMethod, method), code);
    let series = byReason.get(reason);
    if (series === undefined) {
      series = { labels: { method, code, reason }, uncollected: 0, duration: callSeconds.labels({ method }) };
      byReason.set(reason, series);
      known.push(series);
    }
    series.uncollected++;
    series.duration.observe(seconds);
  };
}

/** The map under a name; made where there is none. */
function mapIn<T>(maps: Map<string, Map<string, T>>, name: string): Map<string, T> {
  let map = maps.get(name);
  if (map === undefined) {
    map = new Map();
    maps.set(name, map);
  }
  return map;
}

interface CallSeries {
  readonly labels: { readonly method: string; readonly code: string; readonly reason: string };
  /** Calls since the last time that the counter was read. */
  uncollected: number;
  readonly duration: Histogram.Internal<'method'>;
}
