// The data directory: which files an installation consists of, and how the first start makes them.

import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createFileOnce, makeDirectory, type PrivateText, readPrivateFile } from '../files/atomic-files.ts';
import { directoryTypeFault, fileTypeFault } from '../files/file-type.ts';
import { fileFault, ownershipFault, writeFault } from '../files/system-faults.ts';
import { generateLedgerKey, type LedgerKey, openLedgerKey } from '../ledger/index.ts';

/** Something outside is not as the service needs it. The message says what to do, and holds no secret. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** The files of one installation. */
export interface DataDir {
  readonly path: string;
  /** What the owner of the directory locks: always empty. */
  readonly lock: string;
  /** Who the owner is, for people. */
  readonly owner: string;
  /** PKCS#8 PEM: signs tokens, unless the operator provides another. */
  readonly signingKey: string;
  /** Which key of AWS KMS signs tokens, where one does. It holds no secret. */
  readonly kmsKey: string;
  /** One line in the signed-note form: signs checkpoints, and holds the ledger's origin. */
  readonly ledgerKey: string;
  /** The newest checkpoint of the ledger that was shown. */
  readonly mark: string;
  /** There once the ledger was copied elsewhere, to be continued there. */
  readonly moved: string;
  readonly ledger: string;
  /** Exists while the ledger is known to be damaged. */
  readonly ledgerDamage: string;
  /** The same for `once.db`. */
  readonly onceDamage: string;
  /** `once.db`: used tokens, request ids and pending recordings. */
  readonly once: string;
  /** What time it was, as far as that was trusted; for this machine until it is started anew. */
  readonly clock: string;
}

/**
 * Makes the directory, readable by this user only, where there is none. StartError where it, or a file in it, cannot be
 * written: a volume that belongs to root, for one.
 */
export async function openDataDir(path: string): Promise<DataDir> {
  rejectType(path);
  try {
    await makeDirectory(path);
  } catch (cause) {
    const fault = writeFault(resolve(path), cause, 'Set ECT_DATA_DIR to one that this user can write.');
    throw new StartError(`The data directory cannot be made: ${fault}`, { cause });
  }
  const faults = dataDirFaults(resolve(path));
  if (faults.length > 0) throw new StartError(`The data directory ${path} cannot be used: ${faults.join('\n')}`);
  return filesIn(path);
}

function rejectType(path: string): void {
  const fault = directoryTypeFault(resolve(path));
  if (fault !== undefined) throw new StartError(`The data directory cannot be used: ${fault}. ${NAME_A_DIRECTORY}`);
}

const NAME_A_DIRECTORY = 'Set ECT_DATA_DIR to a directory, or to a path where none is yet.';

/** Why this process cannot use the data directory at `path`, or databases in it. Full sentences. Changes nothing. */
export function dataDirFaults(path: string): readonly string[] {
  const { ledger, once, lock, owner, mark, clock, ledgerDamage, onceDamage } = filesIn(path);
  const noDirectory = directoryTypeFault(path);
  const fault = noDirectory === undefined ? ownershipFault(path) : `${noDirectory}. ${NAME_A_DIRECTORY}`;
  if (fault !== undefined) return [fault];
  const databases = [ledger, once].flatMap((file) => [file, `${file}-wal`, `${file}-shm`, `${file}-journal`]);
  const ours = [lock, mark, ...databases].map((file) => ownershipFault(file) ?? typeFault(file));
  const small = [owner, clock, ledgerDamage, onceDamage].map(typeFault);
  const faults = [...ours, ...small].filter((found) => found !== undefined);
  return faults.length > 0 ? faults : contentOfLock(lock);
}

/** What a service locks is empty: SQLite would take a content for a database. */
function contentOfLock(lock: string): readonly string[] {
  if ((statSync(lock, { throwIfNoEntry: false })?.size ?? 0) === 0) return [];
  const next = 'While no service runs over the directory, move the file away.';
  return [`${lock} has a content, and the file that a service locks is empty. ${next}`];
}

function typeFault(file: string): string | undefined {
  const fault = fileTypeFault(file);
  return fault && `${fault}. Move it away, or restore the file from a backup.`;
}

/** Where the files of a data directory are. */
export function filesIn(path: string): DataDir {
  return {
    path: resolve(path),
    lock: join(path, 'owner.lock'),
    owner: join(path, 'owner.json'),
    signingKey: join(path, 'signing-key.pem'),
    kmsKey: join(path, 'kms-key.json'),
    ledgerKey: join(path, 'ledger.key'),
    mark: join(path, 'ledger.mark'),
    moved: join(path, 'ledger.moved'),
    ledger: join(path, 'ledger.db'),
    ledgerDamage: join(path, 'ledger.damaged'),
    onceDamage: join(path, 'once.damaged'),
    once: join(path, 'once.db'),
    clock: join(path, 'clock.json'),
  };
}

/** Whether a file of a data directory is a signing key that the service has made: the first one, or one of a rotation. */
export function isOwnSigningKey(name: string): boolean {
  return /^signing-key(?:-[1-9][0-9]{0,8})?\.pem$/.test(name);
}

/** Reads the ledger's key, or makes one for a new ledger. A ledger without its key is never continued under another. */
export async function readOrCreateLedgerKey(dir: DataDir): Promise<LedgerKey> {
  // In this order: another process that starts now makes the key first and the ledger after it.
  if ((await isThere(dir.ledger)) && !(await isThere(dir.ledgerKey))) {
    throw keyIsLost(dir);
  }
  return openKey(dir.ledgerKey, await readOrCreate(dir.ledgerKey, () => `${freshLedgerKey()}\n`));
}

/** The ledger's key in a file that the operator gives. `isDryRun`: the rights of the file stay as they are. */
export async function readGivenLedgerKey(path: string, isDryRun = false): Promise<LedgerKey> {
  let found: PrivateText;
  try {
    found = await readPrivateFile(path, { isOurs: false, isDryRun });
  } catch (cause) {
    throw new StartError(`The file of ECT_LEDGER_KEY_FILE cannot be read: ${fileFault(path, cause)}.`, { cause });
  }
  return openKey(path, found);
}

/** The ledger's key as it is; undefined where a start would make one. Changes nothing. */
export async function readLedgerKey(dir: DataDir): Promise<LedgerKey | undefined> {
  if (!(await isThere(dir.ledgerKey))) {
    if (await isThere(dir.ledger)) throw keyIsLost(dir);
    return undefined;
  }
  try {
    return openKey(dir.ledgerKey, await readPrivateFile(dir.ledgerKey, { isOurs: true, isDryRun: true }));
  } catch (cause) {
    throw cause instanceof StartError ? cause : keyIsUnusable('cannot be read', dir.ledgerKey, cause);
  }
}

function keyIsLost({ ledger, ledgerKey }: DataDir): StartError {
  return new StartError(`${ledger} is there but its key ${ledgerKey} is not: restore the key from a backup.`);
}

function openKey(path: string, found: PrivateText): LedgerKey {
  if ('fault' in found) throw new StartError(`The key file ${path} ${found.fault}.`);
  try {
    return openLedgerKey(found.text.trim());
  } catch {
    // The cause may quote the file, so it is dropped.
    throw new StartError(`${path} does not hold a ledger key: restore it from a backup.`);
  }
}

/** A ledger key under a name of its own. Names are for telling ledgers apart; nothing is ever looked up under them. */
export function freshLedgerKey(): string {
  return generateLedgerKey(`ect.local/ledger/${randomBytes(6).toString('hex')}`);
}

async function readOrCreate(path: string, content: () => string): Promise<PrivateText> {
  try {
    await createFileOnce(path, content);
    return await readPrivateFile(path, { isOurs: true });
  } catch (cause) {
    throw keyIsUnusable('can be neither made nor read', path, cause);
  }
}

function keyIsUnusable(how: string, path: string, cause: unknown): StartError {
  return new StartError(`The key of the ledger ${how}: ${fileFault(path, cause, 'written')}.`, { cause });
}

async function isThere(path: string): Promise<boolean> {
  try {
    // Not what a link leads to: where that is gone, the file is missed, and not made.
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}
