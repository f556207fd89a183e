// Creates and migrates the tables: by a command of the operator, in a role that may create them. The service never does.

import { Client, escapeIdentifier } from 'pg';
import { STANDBY } from './examine-server.ts';
import { cleaned, isOfDatabase, StandbyServer, UnfitDatabase } from './failures.ts';
import { grants, MIGRATIONS, SCHEMA, SCHEMA_VERSION } from './layout.ts';
import { describeServers } from './primary-search.ts';
import { addressOptions, type PostgresTarget, serversOf } from './target.ts';

/** `init` creates the tables, `migrate` brings existing ones to the version of this release. */
export interface SchemaOptions {
  readonly kind: 'init' | 'migrate';
  /** The role of the service, which gets its privileges; undefined: privileges stay unchanged. */
  readonly role: string | undefined;
}

/** The version before and after. 0: there were no tables. */
export interface SchemaChange {
  readonly from: number;
  readonly to: number;
}

/** The advisory lock during the creation of the tables, so that two concurrent commands do it once. An arbitrary number. */
const ADVISORY_LOCK = 0x454354;
const CONNECT_MS = 5_000;

/** Changes all or nothing, under a lock. UnfitDatabase if it is impossible, with the next step. */
export async function changeSchema(target: PostgresTarget, options: SchemaOptions): Promise<SchemaChange> {
  let client: Client | undefined;
  try {
    client = await openPrimary(target);
    return await changeIn(client, options);
  } catch (error) {
    if (!isOfDatabase(error)) throw error;
    const said = cleaned(error);
    throw new UnfitDatabase(`The tables cannot be made: ${said.message}.`, { cause: said });
  } finally {
    await client?.end();
  }
}

/** Connects to the first server that is no standby. */
async function openPrimary(target: PostgresTarget): Promise<Client> {
  const servers = serversOf(target);
  const faults: unknown[] = [];
  for (const server of servers) {
    const options = { connectionTimeoutMillis: CONNECT_MS, application_name: 'ect-db' };
    const client = new Client({ ...addressOptions({ ...target, ...server }), ...options });
    // The waiting statement gets the error of a lost connection.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
      if (rows[0]?.standby !== true) return client;
      faults.push(new StandbyServer(STANDBY));
    } catch (error) {
      faults.push(error);
    }
    void client.end().catch(() => undefined);
  }
  if (servers.length === 1) throw faults[0];
  throw new UnfitDatabase(describeServers(servers, faults));
}

async function changeIn(client: Client, { kind, role }: SchemaOptions): Promise<SchemaChange> {
  // An error ends the connection, and with it the transaction.
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
  const from = await versionIn(client);
  if (kind === 'init' && from > 0) {
    throw new UnfitDatabase(`The database has tables of version ${from} already: run \`ect db migrate\`.`);
  }
  if (kind === 'migrate' && from === 0) throw new UnfitDatabase('The database has no tables yet: run `ect db init`.');
  if (from > SCHEMA_VERSION) {
    throw new UnfitDatabase(
      `The tables are of version ${from}, and this release knows ${SCHEMA_VERSION}: run the command of a newer release.`,
    );
  }
  if (role !== undefined) await demandRole(client, role);
  if (from === 0) await client.query(`CREATE SCHEMA ${SCHEMA}`);
  for (const { version, sql } of MIGRATIONS.filter((migration) => migration.version > from)) {
    await client.query(sql);
    await client.query(`UPDATE ${SCHEMA}.schema_version SET version = $1`, [version]);
  }
  if (role !== undefined) await client.query(grants(escapeIdentifier(role)));
  await client.query('COMMIT');
  return { from, to: SCHEMA_VERSION };
}

async function versionIn(client: Client): Promise<number> {
  const { rows } = await client.query<{ found: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS found`, [
    `${SCHEMA}.schema_version`,
  ]);
  if (rows[0]?.found !== true) return 0;
  const { rows: versions } = await client.query<{ version: number }>(
    `SELECT max(version) AS version FROM ${SCHEMA}.schema_version`,
  );
  return Number(versions[0]?.version ?? 0);
}

async function demandRole(client: Client, role: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 1) return;
  throw new UnfitDatabase(
    `The database has no role ${JSON.stringify(role)}: make it first, by CREATE ROLE … LOGIN, with a password.`,
  );
}
