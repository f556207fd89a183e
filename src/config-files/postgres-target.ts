// The database that the configuration names, with what is in its files.

import type { PostgresConfig } from '../config/postgres.ts';
import type { PostgresTarget } from '../stores/postgres/index.ts';
import { readCa, readPassword } from './server-files.ts';

/** Reads the CA and, to see that it can be read, the password. StartError names the setting and the path. `isDryRun`: rights of files stay as they are. */
export async function postgresTarget(config: PostgresConfig, isDryRun = false): Promise<PostgresTarget> {
  const { host, port, others, database, user, password, isEncrypted, caFile } = config;
  // Read again for each connection, so that it can be changed without a restart.
  const reread = () => readPassword('ECT_POSTGRES_PASSWORD_FILE', password, isDryRun);
  await reread();
  const ca = caFile === undefined ? undefined : await readCa('ECT_POSTGRES_CA_FILE', caFile);
  return {
    host,
    port,
    others,
    database,
    user,
    password: reread,
    tls: isEncrypted ? { ca } : undefined,
  };
}
