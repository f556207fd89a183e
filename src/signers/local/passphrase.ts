// The passphrase of an encrypted key file: from a separate file, or from the environment.

import { type PrivateText, readPrivateFile } from '../../files/atomic-files.ts';
import { fileFault } from '../../files/system-faults.ts';
import { KeyFileError } from './key-file.ts';

/** The source of the passphrase. */
export type PassphraseSource = { readonly file: string } | { readonly reveal: () => string };

/** The maximum of OpenSSL. */
const MAX_BYTES = 1000;

/** The passphrase. A line end after it is removed, because editors write one. */
export async function readPassphrase(source: PassphraseSource, isDryRun = false): Promise<string> {
  if ('reveal' in source) return source.reveal();
  const { file } = source;
  let found: PrivateText;
  try {
    found = await readPrivateFile(file, { isOurs: false, isDryRun });
  } catch (cause) {
    throw new KeyFileError(`The file of ECT_LOCAL_KEY_PASSPHRASE_FILE cannot be read: ${fileFault(file, cause)}.`, {
      cause,
    });
  }
  if ('fault' in found) throw new KeyFileError(`The passphrase file ${file} ${found.fault}.`);
  const passphrase = found.text.replace(/\r?\n$/, '');
  if (passphrase === '') throw new KeyFileError(`The passphrase file ${file} is empty: put the passphrase into it.`);
  if (Buffer.byteLength(passphrase) > MAX_BYTES) {
    throw new KeyFileError(`The passphrase in ${file} is too long: OpenSSL takes ${MAX_BYTES} bytes.`);
  }
  return passphrase;
}
