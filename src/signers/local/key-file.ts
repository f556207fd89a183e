// The local signing key on disk: PKCS#8 or SEC1 PEM, or a private JWK (RFC 7517). It is created at the first start.

import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { basename } from 'node:path';
import { EctError, reject } from '../../errors.ts';
import { createFileOnce, type PrivateRead, type PrivateText, readPrivateFile } from '../../files/atomic-files.ts';
import { fileFault } from '../../files/system-faults.ts';
import { contradictionOf } from '../../keys/index.ts';

/** An unusable key. The message names the file and the next step, and never shows the content. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/**
 * Reads a P-256 private key that the operator provides. One that is encrypted needs its passphrase, and no other may have one.
 * If neither can be read, both errors are reported. `isDryRun`: the permissions of the file are not changed.
 */
export function readKeyFile(path: string, passphrase?: string | Promise<string>, isDryRun = false): Promise<KeyObject> {
  return readKey(path, passphrase, { isOurs: false, isDryRun });
}

/** Reads a key that the service created. */
export function readOwnKeyFile(path: string, isDryRun = false): Promise<KeyObject> {
  return readKey(path, undefined, { isOurs: true, isDryRun });
}

async function readKey(
  path: string,
  passphrase: string | Promise<string> | undefined,
  how: PrivateRead,
): Promise<KeyObject> {
  const read = await Promise.allSettled([readText(path, how), passphrase]);
  const faults: unknown[] = read.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (faults.length > 1) throw new KeyFileError(faults.map((fault) => (fault as Error).message).join('\n'));
  const [text, secret] = read;
  if (text.status === 'rejected') throw text.reason;
  if (secret.status === 'rejected') throw secret.reason;
  return parsePrivateKey(text.value, path, secret.value);
}

async function readText(path: string, how: PrivateRead): Promise<string> {
  let found: PrivateText;
  try {
    found = await readPrivateFile(path, how);
  } catch (cause) {
    throw new KeyFileError(
      `The key file cannot be read: ${fileFault(path, cause)}. Give the path of a PEM or JWK file.`,
      { cause },
    );
  }
  if ('fault' in found) throw new KeyFileError(`The key file ${path} ${found.fault}.`);
  return found.text;
}

/** Reads the key at `path`, or creates one if it does not exist: PKCS#8 PEM, mode 0600. */
export async function readOrCreateKeyFile(path: string): Promise<KeyObject> {
  try {
    await createFileOnce(path, generateKeyPem);
  } catch (cause) {
    if (hasNoSpace(cause)) {
      throw new EctError(reject('STORAGE_FULL', `There is no space left for the key file ${basename(path)}.`), {
        cause,
      });
    }
    throw new KeyFileError(
      `The key file cannot be made: ${fileFault(path, cause, 'written')}. Its directory must be writable.`,
      { cause },
    );
  }
  return readOwnKeyFile(path);
}

function hasNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** A new P-256 private key as PKCS#8 PEM. */
export function generateKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function parsePrivateKey(text: string, path: string, passphrase: string | undefined): KeyObject {
  const isEncrypted = text.includes('ENCRYPTED');
  if (isEncrypted && passphrase === undefined) {
    throw new KeyFileError(
      `The key in ${path} is encrypted: put its passphrase into the file that ECT_LOCAL_KEY_PASSPHRASE_FILE names.`,
    );
  }
  if (!isEncrypted && passphrase !== undefined) {
    throw new KeyFileError(`The key in ${path} is not encrypted, but a passphrase is set: encrypt it, or unset that.`);
  }
  const jwk = readJwk(text);
  const contradiction = jwk && contradictionOf(jwk, { algorithms: ['ES256'], operations: ['sign', 'verify'] });
  if (contradiction !== undefined) {
    throw new KeyFileError(
      `The key in ${path} is not for signing tokens: ${contradiction}. Correct the JWK, or give another.`,
    );
  }
  let key: KeyObject;
  try {
    key =
      jwk === undefined
        ? createPrivateKey({ key: text, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) })
        : createPrivateKey({ key: jwk, format: 'jwk' });
  } catch {
    // The cause may quote the file, so it is dropped.
    throw new KeyFileError(
      isEncrypted
        ? `The key in ${path} does not open with the passphrase: check both; an intact PKCS#8 or SEC1 PEM is needed.`
        : `The file ${path} holds no private key: give PKCS#8 or SEC1 PEM, or a private JWK.`,
    );
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new KeyFileError(`The key in ${path} is not on P-256: ES256 needs that curve. \`ect keygen\` makes one.`);
  }
  return key;
}

/** The members of a private JWK; undefined for anything but a JSON object. */
function readJwk(text: string): JsonWebKey | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as JsonWebKey;
  } catch {
    return undefined;
  }
}
