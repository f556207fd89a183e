// What the supervisor and its workers tell each other. No setting, key, token or name of a caller is among it.

import type { MetricsSnapshot } from '../telemetry/events.ts';

/** The variable in which a worker finds its number, from 1. It does not begin with ECT_, so it is no setting. */
export const NUMBER_VARIABLE = 'WORKER_NUMBER';

/** The variable in which it finds its slot, from 0: no two workers that live have the same. */
export const SLOT_VARIABLE = 'WORKER_SLOT';

/** The variable that a worker has which takes the place of one that still serves. */
export const SUCCESSOR_VARIABLE = 'WORKER_SUCCEEDS';

/** The variable of one that takes the place of a dead one, in a service that has served. */
export const REPLACEMENT_VARIABLE = 'WORKER_REPLACES';

export type ToSupervisor =
  /** The worker accepts calls. */
  | { readonly kind: 'listening'; readonly url: string }
  /** Its current metrics: on request, and before it ends. */
  | { readonly kind: 'snapshot'; readonly snapshot: MetricsSnapshot }
  /** Somebody asked this worker for the metrics of all. */
  | { readonly kind: 'read-metrics' }
  /** A connection was handed to it and did not arrive. */
  | { readonly kind: 'connection-lost' };

export type ToWorker =
  | { readonly kind: 'take-snapshot' }
  /** Look at the files of the configuration, which may have changed. */
  | { readonly kind: 'reload' }
  /** The answer to `read-metrics`, in the Prometheus text format; undefined where it could not be made. */
  | { readonly kind: 'metrics'; readonly text: string | undefined };
