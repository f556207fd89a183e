// The messages between the supervisor and its workers. They contain no setting, key, token or name of a caller.

import type { MetricsSnapshot } from '../telemetry/events.ts';

/** The environment variable with the number of a worker, from 1. It does not begin with ECT_, so it is not a setting. */
export const NUMBER_VARIABLE = 'WORKER_NUMBER';

/** The environment variable with the slot of a worker, from 0. No two living workers have the same slot. */
export const SLOT_VARIABLE = 'WORKER_SLOT';

/** The environment variable of a worker that replaces one that still serves. */
export const SUCCESSOR_VARIABLE = 'WORKER_SUCCEEDS';

/** The environment variable of a worker that replaces a dead one after the service has started. */
export const REPLACEMENT_VARIABLE = 'WORKER_REPLACES';

export type ToSupervisor =
  /** The worker accepts calls. */
  | { readonly kind: 'listening'; readonly url: string }
  /** The current metrics of the worker: sent on request, and before the worker exits. */
  | { readonly kind: 'snapshot'; readonly snapshot: MetricsSnapshot }
  /** A client requested the metrics of all workers from this worker. */
  | { readonly kind: 'read-metrics' }
  /** The supervisor passed a connection to the worker, and it did not arrive. */
  | { readonly kind: 'connection-lost' };

export type ToWorker =
  | { readonly kind: 'take-snapshot' }
  /** Reload the files of the configuration if they have changed. */
  | { readonly kind: 'reload' }
  /** The answer to `read-metrics`, in the Prometheus text format; undefined after a failure. */
  | { readonly kind: 'metrics'; readonly text: string | undefined };
