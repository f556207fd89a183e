// Reads the files that a connection to a database needs: the password and the certificate of the CA.

import type { PasswordSource } from '../config/postgres.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { readPrivateFile } from '../files/atomic-files.ts';
import { readSmallFile } from '../files/bounded-read.ts';
import { fileFault } from '../files/system-faults.ts';

/**
 * Returns the configured password; undefined if none is set. Throws StartError, which names the setting and the path. `isDryRun`: the
 * permissions of the file are not changed.
 */
export async function readPassword(
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

/** Reads a certificate in PEM. Throws StartError, which names the setting and the path. */
export async function readCa(setting: string, file: string): Promise<string> {
  try {
    const text = (await readSmallFile(file, 'file or pipe')).toString('utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (cause) {
    throw cannotRead(setting, file, cause);
  }
  throw new StartError(`The file of ${setting}, ${file}, holds no certificate in PEM.`);
}

function cannotRead(setting: string, file: string, cause: unknown): StartError {
  return new StartError(`The file of ${setting} cannot be read: ${fileFault(file, cause)}.`, { cause });
}
