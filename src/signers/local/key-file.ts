// The local signing key on disk: PKCS#8 or SEC1 PEM, or a private JWK (RFC 7517). Made at the first start.

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createFileOnce, readPrivateFile } from '../../files.ts';
import { fileFault } from '../../system-faults.ts';

/** A key that cannot be used. The message names the file and what to do, and never shows its content. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/** Reads a P-256 private key that the operator provides. One that is encrypted needs its passphrase, and no other may have one. */
export async function readKeyFile(path: string, passphrase?: string): Promise<KeyObject> {
  let text: string | undefined;
  try {
    text = await readPrivateFile(path);
  } catch (cause) {
    throw new KeyFileError(
      `The key file cannot be read: ${fileFault(path, cause)}. Give the path of a PEM or JWK file.`,
      { cause },
    );
  }
  if (text === undefined) throw new KeyFileError(`The key file ${path} can be read by others: run chmod 600 on it.`);
  return parsePrivateKey(text, path, passphrase);
}

/** Reads the key at `path`, or makes one there if there is none: PKCS#8 PEM, mode 0600. */
export async function readOrCreateKeyFile(path: string): Promise<KeyObject> {
  try {
    await createFileOnce(path, generateKeyPem);
  } catch (cause) {
    throw new KeyFileError(
      `The key file cannot be made: ${fileFault(path, cause, 'written')}. Its directory must be writable.`,
      { cause },
    );
  }
  return readKeyFile(path);
}

/** A fresh P-256 private key as PKCS#8 PEM. */
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
  let key: KeyObject;
  try {
    key = text.trimStart().startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text), format: 'jwk' })
      : createPrivateKey({ key: text, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) });
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
