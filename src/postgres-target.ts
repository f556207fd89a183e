// The database that the configuration names, with what is in its files.

import { readFile } from 'node:fs/promises';
import type { PasswordSource, PostgresConfig } from './config/postgres.ts';
import { StartError } from './data-dir.ts';
import { demandFile } from './file-type.ts';
import { readPrivateFile } from './files.ts';
import type { PostgresTarget } from './stores/postgres/index.ts';
import { fileFault } from './system-faults.ts';

/** Reads the CA and, to see that it can be read, the password. StartError names the setting and the path. `isDryRun`: rights of files stay as they are. */
export async function postgresTarget(config: PostgresConfig, isDryRun = false): Promise<PostgresTarget> {
  const { host, port, others, database, user, password, isEncrypted, caFile } = config;
  if (password !== undefined) await readPassword(password, isDryRun);
  const ca = caFile === undefined ? undefined : await readCa(caFile);
  return {
    host,
    port,
    others,
    database,
    user,
    // Read again for each connection, so that it can be changed without a restart.
    password: async () => password && readPassword(password, isDryRun),
    tls: isEncrypted ? { ca } : undefined,
  };
}

async function readPassword(source: PasswordSource, isDryRun: boolean): Promise<string> {
  if ('reveal' in source) return source.reveal();
  const { file } = source;
  const found = await readPrivateFile(file, { isOurs: false, isDryRun }).catch((cause: unknown) => {
    throw cannotRead('ECT_POSTGRES_PASSWORD_FILE', file, cause);
  });
  if ('fault' in found) throw new StartError(`The file of ECT_POSTGRES_PASSWORD_FILE, ${file}, ${found.fault}.`);
  const password = found.text.replace(/\r?\n$/, '');
  if (password === '') throw new StartError(`The file of ECT_POSTGRES_PASSWORD_FILE, ${file}, is empty.`);
  return password;
}

async function readCa(file: string): Promise<string> {
  try {
    demandFile(file, 'file or pipe');
    const text = await readFile(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (cause) {
    throw cannotRead('ECT_POSTGRES_CA_FILE', file, cause);
  }
  throw new StartError(`The file of ECT_POSTGRES_CA_FILE, ${file}, holds no certificate in PEM.`);
}

function cannotRead(setting: string, file: string, cause: unknown): StartError {
  return new StartError(`The file of ${setting} cannot be read: ${fileFault(file, cause)}.`, { cause });
}
