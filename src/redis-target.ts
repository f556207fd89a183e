// Redis as the configuration names it, with what is in its files.

import { readFile } from 'node:fs/promises';
import type { PasswordSource } from './config/postgres.ts';
import type { RedisConfig } from './config/redis.ts';
import { StartError } from './data-dir.ts';
import { demandFile } from './file-type.ts';
import { readPrivateFile } from './files.ts';
import type { RedisTarget } from './stores/redis/index.ts';
import { fileFault } from './system-faults.ts';

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

async function readPassword(
  setting: string,
  source: PasswordSource | undefined,
  isDryRun: boolean,
): Promise<string | undefined> {
  if (source === undefined) return undefined;
  if ('reveal' in source) return source.reveal();
  const { file } = source;
  const found = await readPrivateFile(file, { isOurs: false, isDryRun }).catch((cause: unknown) => {
    throw cannotRead(setting, file, cause);
  });
  if ('fault' in found) throw new StartError(`The file of ${setting}, ${file}, ${found.fault}.`);
  const password = found.text.replace(/\r?\n$/, '');
  if (password === '') throw new StartError(`The file of ${setting}, ${file}, is empty.`);
  return password;
}

async function readCa(setting: string, file: string): Promise<string> {
  try {
    demandFile(file, 'file or pipe');
    const text = await readFile(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (cause) {
    throw cannotRead(setting, file, cause);
  }
  throw new StartError(`The file of ${setting}, ${file}, holds no certificate in PEM.`);
}

function cannotRead(setting: string, file: string, cause: unknown): StartError {
  return new StartError(`The file of ${setting} cannot be read: ${fileFault(file, cause)}.`, { cause });
}
