// Where a database is, how long it may take, and what each session of ours is set to.

import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig } from 'pg';
import type { ServerAddress } from './primary-search.ts';

/** Where the database is, and who asks. */
export interface PostgresTarget extends ServerAddress {
  /** Further servers: whichever of all is the primary is used. */
  readonly others?: readonly ServerAddress[];
  readonly database: string;
  readonly user: string;
  /** Asked for each connection, so that a password may change. It is behind a function, so that nothing that prints a Config shows it. */
  readonly password: () => string | undefined | Promise<string | undefined>;
  /** Certificates of the server are verified, by this CA (PEM) or by those that Node.js trusts; undefined: without TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** What the server lists connections as. Default: as those of a service. */
  readonly program?: string;
}

/** Timeouts of a database, in milliseconds. */
export interface Timeouts {
  /** Until there is a connection, also where others have all of them. */
  readonly connectMs: number;
  readonly idleInTransactionMs: number;
  readonly lockMs: number;
  readonly statementMs: number;
  readonly answerMs: number;
}

/** What the connections of a service are called. */
export const SERVICE_PROGRAM = 'ect-authority';

/**
 * Whatever the role or the database has. Statements by themselves must see what was committed before them. And each of ours is
 * answered by the index that fits: a plan that was made while a table was nearly empty would go on to read all of it when it has grown.
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

/** What a server that is busy needs to be examined, in milliseconds. */
const LEAST_EXAMINE_MS = 2_000;

/** All servers of a target, in their order. */
export function serversOf({ host, port, others = [] }: PostgresTarget): readonly [ServerAddress, ...ServerAddress[]] {
  return [{ host, port }, ...others];
}

/** What each connection is made with; `connectMs` is for one server. */
export function clientOptions(target: PostgresTarget, timeouts: Timeouts, connectMs: number): ClientConfig {
  const { host, port, database, user, password, tls, program = SERVICE_PROGRAM } = target;
  return {
    host,
    port,
    database,
    user,
    // Where there is none, the driver would look for it in the environment and in files.
    password: async () => (await password()) ?? '',
    ssl: tlsOptions(tls),
    application_name: program,
    options: SESSION_OPTIONS,
    connectionTimeoutMillis: connectMs,
    ...timeLimits(timeouts),
    // Of the examination of the server; what a session sends has a limit of its own.
    query_timeout: Math.max(connectMs, LEAST_EXAMINE_MS),
    keepAlive: true,
    pipeline: true,
  };
}

/** The same for a session whose pooler does not pass them on. */
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

/** The certificate of the server is always verified, and its name. */
export function tlsOptions(tls: PostgresTarget['tls']): ConnectionOptions | false {
  if (tls === undefined) return false;
  return { ...(tls.ca === undefined ? {} : { ca: tls.ca }), rejectUnauthorized: true };
}
