// Redis as the configuration names it, with what is in its files.

import type { RedisConfig } from '../config/redis.ts';
import type { RedisTarget } from '../stores/redis/index.ts';
import { readCa, readPassword } from './server-files.ts';

/** Reads the CA and, to see that they can be read, the passwords. StartError names the setting and the path. `isDryRun`: rights of files stay as they are. */
export async function redisTarget(config: RedisConfig, isDryRun = false): Promise<RedisTarget> {
  const { place, database, user, isEncrypted, caFile, prefix } = config;
  // Read again for each connection, so that they can be changed without a restart.
  const password = () => readPassword('ECT_REDIS_PASSWORD_FILE', config.password, isDryRun);
  const sentinelPassword = () => readPassword('ECT_REDIS_SENTINEL_PASSWORD_FILE', config.sentinelPassword, isDryRun);
  await Promise.all([password(), sentinelPassword()]);
  const ca = caFile === undefined ? undefined : await readCa('ECT_REDIS_CA_FILE', caFile);
  return { place, database, user, password, sentinelPassword, tls: isEncrypted ? { ca } : undefined, prefix };
}
