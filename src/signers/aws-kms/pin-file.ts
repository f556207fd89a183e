// The key that a data directory belongs to. It is stored at the first start; later, a name that refers to another key stops the start, so
// that a `kid` never changes unnoticed.

import { createFileOnce, type PrivateText, readPrivateFile } from '../../files/atomic-files.ts';
import { fileFault } from '../../files/system-faults.ts';
import type { KeyPin } from './identity.ts';
import { KmsKeyError } from './open.ts';

/** Compares `found` with the pin at `path`, or stores it if there is none. KmsKeyError if they differ. */
export async function holdToPin(path: string, found: KeyPin): Promise<void> {
  const pinned = parsePin(await readOrCreate(path, found));
  if (pinned === undefined) {
    throw new KmsKeyError(
      `${path} does not say which key is used here: restore it, or remove it to use the key of ECT_KMS_KEY from now on.`,
    );
  }
  if (pinned.keyId === found.keyId && pinned.kid === found.kid) return;
  const what = pinned.keyId === found.keyId ? 'has another public key' : 'is another key';
  throw new KmsKeyError(
    `ECT_KMS_KEY ${what} (${found.keyId}, kid ${found.kid}) than this data directory was used with ` +
      `(${pinned.keyId}, kid ${pinned.kid}): point it back, or remove ${path} to change keys. ` +
      'Its tokens stay valid; nothing signs until the other key has been announced long enough.',
  );
}

async function readOrCreate(path: string, pin: KeyPin): Promise<string> {
  let found: PrivateText;
  try {
    await createFileOnce(path, () => `${JSON.stringify({ keyId: pin.keyId, kid: pin.kid })}\n`);
    found = await readPrivateFile(path, { isOurs: true });
  } catch (cause) {
    throw new KmsKeyError(
      `The pin of the key in AWS KMS can be neither made nor read: ${fileFault(path, cause, 'written')}.`,
      { cause },
    );
  }
  if ('fault' in found) throw new KmsKeyError(`The file ${path} ${found.fault}.`);
  return found.text;
}

function parsePin(text: string): { readonly keyId: string; readonly kid: string } | undefined {
  try {
    const { keyId, kid } = JSON.parse(text) as Record<string, unknown>;
    return typeof keyId === 'string' && typeof kid === 'string' ? { keyId, kid } : undefined;
  } catch {
    return undefined;
  }
}
