// The address of a database, its timeouts, and the settings of each session.

import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig } from 'pg';
import type { ServerAddress } from './primary-search.ts';

/** The address of the database, and the user. */
export interface PostgresTarget extends ServerAddress {
  /** Further servers: the primary among all of them is used. */
  readonly others?: readonly ServerAddress[];
  readonly database: string;
  readonly user: string;
  /** Called for each connection, so that a password may change. A function, so that printing a Config does not show it. */
  readonly password: () => string | undefined | Promise<string | undefined>;
  /** Certificates of the server are verified with this CA (PEM), or with those of Node.js; undefined: no TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** The application name on the server. Default: that of a service. */
  readonly program?: string;
}

/** Timeouts of a database, in milliseconds. */
export interface Timeouts {
  /** Until there is a connection, including the wait for a free one. */
  readonly connectMs: number;
  readonly idleInTransactionMs: number;
  readonly lockMs: number;
  readonly statementMs: number;
  readonly answerMs: number;
}

/** The application name of the connections of a service. */
export const SERVICE_PROGRAM = 'ect-authority';

/**
 * These override settings of the role and the database. Autocommitted statements must see what was committed before. And a plan that was
 * made while a table was nearly empty must not become a sequential scan when it has grown.
 */
const SESSION_SETTINGS = {
  default_transaction_isolation: 'read committed',
  plan_cache_mode: 'force_custom_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
} as const;
const SESSION_OPTIONS = Object.entries(SESSION_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ');

/** The time to examine a busy server, in milliseconds. */
const LEAST_EXAMINE_MS = 2_000;

/** All servers of a target, in their order. */
export function serversOf({ host, port, others = [] }: PostgresTarget): readonly [ServerAddress, ...ServerAddress[]] {
  return [{ host, port }, ...others];
}

/** The options that lead to a server, and authenticate there. */
export function addressOptions({ host, port, database, user, password, tls }: PostgresTarget): ClientConfig {
  // If the password were undefined, the driver would read it from the environment and from files.
  return { host, port, database, user, password: async () => (await password()) ?? '', ssl: tlsOptions(tls) };
}

/** The options of each connection; `connectMs` is for one server. */
export function clientOptions(target: PostgresTarget, timeouts: Timeouts, connectMs: number): ClientConfig {
  return {
    ...addressOptions(target),
    application_name: target.program ?? SERVICE_PROGRAM,
    options: SESSION_OPTIONS,
    connectionTimeoutMillis: connectMs,
    ...timeLimits(timeouts),
    // The limit of the examination; statements of a session have a limit of their own.
    query_timeout: Math.max(connectMs, LEAST_EXAMINE_MS),
    keepAlive: true,
    pipeline: true,
  };
}

/** The same settings for a session whose pooler does not forward them. */
export function sessionSettings(timeouts: Timeouts): Readonly<Record<string, string>> {
  const limits = Object.entries(timeLimits(timeouts)).map(([name, ms]) => [name, `${ms}`]);
  return { ...SESSION_SETTINGS, ...Object.fromEntries(limits) };
}

function timeLimits({ idleInTransactionMs, lockMs, statementMs }: Timeouts) {
  return {
    idle_in_transaction_session_timeout: idleInTransactionMs,
    lock_timeout: lockMs,
    statement_timeout: statementMs,
  };
}

/** The certificate of the server and its name are always verified. */
function tlsOptions(tls: PostgresTarget['tls']): ConnectionOptions | false {
  if (tls === undefined) return false;
  return { ...(tls.ca === undefined ? {} : { ca: tls.ca }), rejectUnauthorized: true };
}
