// The configured database, with the contents of the files that the settings name.

import type { PostgresConfig } from '../config/postgres.ts';
import type { PostgresTarget } from '../stores/postgres/index.ts';
import { readCa, readPassword } from './server-files.ts';

/**
 * Reads the CA, and checks that the password can be read. Throws StartError, which names the setting and the path. `isDryRun`: the
 * permissions of files are not changed.
 */
export async function postgresTarget(config: PostgresConfig, isDryRun = false): Promise<PostgresTarget> {
  const { host, port, others, database, user, password, isEncrypted, caFile } = config;
  // The password is read again for each connection, so that it can change without a restart.
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
