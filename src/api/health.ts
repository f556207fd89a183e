// grpc.health.v1: whether this instance accepts calls, for the whole server ('') and for each of its services.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Call, Service } from '../calls/call.ts';
import { EctError, reject } from '../errors.ts';
import {
  Health,
  type HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../gen/grpc/health/v1/health_pb.ts';
import { createStatusWatch } from './status-watch.ts';

export interface HealthOptions {
  /** The full names of the services: `ect.v1.AuthorityService`. */
  readonly services: readonly string[];
  /**
   * The full names of methods that need more than their service does (`ect.v1.AuthorityService/Issue`), each with a function that says
   * whether it can be served.
   */
  readonly methods: Readonly<Record<string, () => boolean>>;
  /** Whether calls can be served now. */
  readonly isServing: () => boolean;
  /** How often the status is checked for watchers, in milliseconds. */
  readonly watchIntervalMs: number;
  /** Aborted when the service stops: watchers are informed immediately. */
  readonly stopping: AbortSignal;
}

type Answer = MessageInitShape<typeof HealthCheckResponseSchema>;

/** The health service. It is public and is served while the server drains. */
export function createHealth(options: HealthOptions): Service<typeof Health> {
  const { services, methods, isServing, watchIntervalMs, stopping } = options;
  const names = new Set(['', ...services, ...Object.keys(methods)]);
  const changes = createStatusWatch(statusOf, watchIntervalMs);
  stopping.addEventListener('abort', () => changes.look(), { once: true });

  function statusOf(service: string): Status {
    if (!names.has(service)) return Status.SERVICE_UNKNOWN;
    return isServing() && methods[service]?.() !== false ? Status.SERVING : Status.NOT_SERVING;
  }

  async function* watch(service: string, call: Call): AsyncGenerator<Answer> {
    for await (const status of changes.watch(service, call.signal)) yield { status };
  }

  return {
    descriptor: Health,
    access: 'public',
    maxRequestBytes: { '*': 4096 },
    procedures: {
      check({ service }) {
        if (!names.has(service)) throw new EctError(reject('SERVICE_UNKNOWN', 'there is no such service', { service }));
        return { status: statusOf(service) };
      },
      list: () => ({ statuses: Object.fromEntries([...names].map((name) => [name, { status: statusOf(name) }])) }),
    },
    streams: { watch: ({ service }, call) => watch(service, call) },
  };
}
