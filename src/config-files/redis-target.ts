// The configured Redis, with the contents of the files that the settings name.

import type { RedisConfig } from '../config/redis.ts';
import type { RedisTarget } from '../stores/redis/index.ts';
import { readCa, readPassword } from './server-files.ts';

/**
 * Reads the CA, and checks that the passwords can be read. Throws StartError, which names the setting and the path. `isDryRun`: the
 * permissions of files are not changed.
 */
export async function redisTarget(config: RedisConfig, isDryRun = false): Promise<RedisTarget> {
  const { place, database, user, isEncrypted, caFile, prefix } = config;
  // The passwords are read again for each connection, so that they can change without a restart.
  const password = () => readPassword('ECT_REDIS_PASSWORD_FILE', config.password, isDryRun);
  const sentinelPassword = () => readPassword('ECT_REDIS_SENTINEL_PASSWORD_FILE', config.sentinelPassword, isDryRun);
  await Promise.all([password(), sentinelPassword()]);
  const ca = caFile === undefined ? undefined : await readCa('ECT_REDIS_CA_FILE', caFile);
  return { place, database, user, password, sentinelPassword, tls: isEncrypted ? { ca } : undefined, prefix };
}
