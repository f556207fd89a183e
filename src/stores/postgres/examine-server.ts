// Checks whether a server keeps acknowledged commits, and whether its tables are those of this release. Called for each new connection,
// which may lead to another server after a failover.

import type { ClientBase } from 'pg';
import { StandbyServer, UnfitDatabase } from './failures.ts';
import { SCHEMA, SCHEMA_VERSION } from './layout.ts';

/**
 * A cancelled call closes its connection. The server checks for that while it waits or works, so that locks of such a call are released
 * soon. Some systems do not support the check; there the timeouts of the session end the call.
 */
const WATCH_CLIENT = "SET client_connection_check_interval = '250ms'";

/** Throws UnfitDatabase with the next step, or an error of the driver. */
export async function examineServer(client: Pick<ClientBase, 'query'>): Promise<void> {
  const isWatched = client.query(WATCH_CLIENT).catch(() => undefined);
  const { rows } = await client.query<Readonly<Record<string, unknown>>>({
    text: `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
             current_setting('synchronous_commit') AS synchronous_commit, pg_is_in_recovery() AS is_standby,
             current_setting('synchronous_standby_names') AS standbys,
             current_setting('server_encoding') AS encoding, current_setting('server_version_num') AS server_version,
             to_regclass('${SCHEMA}.schema_version') IS NOT NULL AS has_tables`,
  });
  const found = rows[0] ?? {};
  if (found['is_standby'] === true) throw new StandbyServer(STANDBY);
  const fault = serverFault(found);
  if (fault !== undefined) throw new UnfitDatabase(fault);
  const { rows: versions } = await client.query<Readonly<Record<string, unknown>>>({
    text: `SELECT max(version) AS version FROM ${SCHEMA}.schema_version`,
  });
  const schemaProblem = schemaFault(Number(versions[0]?.['version'] ?? 0));
  if (schemaProblem !== undefined) throw new UnfitDatabase(schemaProblem);
  await isWatched;
}

export const STANDBY =
  'The PostgreSQL server is a standby: set ECT_POSTGRES_URL to the primary, or name both, with a comma between them.';

/** The oldest major version that the statements are tested with, in the numbering of the server. */
const OLDEST_VERSION = 150_000;

function serverFault(found: Readonly<Record<string, unknown>>): string | undefined {
  if (Number(found['server_version']) < OLDEST_VERSION)
    return 'The PostgreSQL server is older than version 15: upgrade it.';
  for (const setting of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    if (found[setting] === 'off') {
      return `The PostgreSQL server has ${setting} = off, so a crash would lose what was acknowledged: turn it on for this role and database.`;
    }
  }
  if (found['synchronous_commit'] === 'local' && found['standbys'] !== '') {
    return 'The PostgreSQL server has synchronous standbys and synchronous_commit = local, so a failover would lose what was acknowledged: set it to on for this role and database.';
  }
  if (found['encoding'] !== 'UTF8') return 'The database is not encoded in UTF8: create one with ENCODING UTF8.';
  if (found['has_tables'] !== true) return 'The database has no tables of this service: run `ect db init`.';
  return undefined;
}

function schemaFault(version: number): string | undefined {
  if (version > SCHEMA_VERSION) {
    return `The tables in the database are of version ${version}, and this release knows ${SCHEMA_VERSION}: run a newer release.`;
  }
  if (version < SCHEMA_VERSION) {
    return `The tables in the database are of version ${version}, and this release needs ${SCHEMA_VERSION}: run \`ect db migrate\`.`;
  }
  return undefined;
}
