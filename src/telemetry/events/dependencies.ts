// Events of the servers that the service depends on.

import type { ErrorReason } from '../../errors.ts';
import { describeFailure, round } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function dependencyEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** A dependency failed (the ledger, the replay guard, the signer). Callers got this reason. */
    dependencyFailed(reason: ErrorReason, cause: unknown): void {
      metrics.dependencyFailures.inc({ reason });
      lines.error({ event: 'dependency-failed', ...describeFailure(cause), reason });
    },

    /** No usable primary of the database is available, so calls that need it are rejected at once. Called when that begins. */
    databaseLost(cause: unknown): void {
      metrics.databaseDown.set(1);
      const warning = 'calls that need the database are rejected until a server answers as the primary';
      lines.error({ event: 'database-lost', ...describeFailure(cause), warning });
      flushNow();
    },

    /** New connections use this server. `downMs`: how long there was none; undefined if another server was used before. */
    databaseFound(server: string, downMs: number | undefined): void {
      metrics.databaseDown.set(0);
      lines.info({ event: 'database-found', server, ...(downMs === undefined ? {} : { downMs: round(downMs) }) });
      flushNow();
    },

    /** Redis is available for uses of tokens. `begun`: tokens from before that second are rejected, since they may have been used. */
    redisUp({ warnings, begun }: { readonly warnings: readonly string[]; readonly begun: number | undefined }): void {
      metrics.redisDown.set(0);
      lines.info({ event: 'redis-up' });
      if (begun !== undefined) {
        const warning =
          'Redis does not know which tokens were used before: tokens that were issued before are rejected';
        lines.warn({ event: 'redis-history-begun', since: new Date(1000 * begun).toISOString(), warning });
      }
      for (const warning of warnings) lines.warn({ event: 'redis-doubtful', warning });
      flushNow();
    },

    /** The replay guard in Redis is unavailable: uses are rejected until it is available. */
    redisDown(failure: { readonly reason: ErrorReason; readonly cause?: unknown }): void {
      metrics.redisDown.set(1);
      lines.error({ event: 'redis-down', ...describeFailure(failure) });
      flushNow();
    },

    /** This replica now does the background work of all replicas, or no longer does. `token`: the fencing token of the lease. */
    backgroundLeaseChanged(token: number | undefined): void {
      metrics.backgroundLease.set(token === undefined ? 0 : 1);
      if (token === undefined) lines.info({ event: 'background-left' });
      else lines.info({ event: 'background-taken', token });
    },
  };
}
