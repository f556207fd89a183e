// The names of files in a backup. Names in a backup are attacker-controlled; files with other names are never written.

import { existsSync, lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { filesIn } from '../data-directory/data-dir.ts';

/** The manifest: facts about the ledger, the sizes of the files, and the time and release of the backup. */
export const MANIFEST = 'backup.json';
/** The SHA-256 of every other file, in the format of `sha256sum --check`. It is written last: a directory without it is not a backup. */
export const CHECKSUMS = 'SHA256SUMS';

const files = filesIn('.');
export const LEDGER = basename(files.ledger);
export const ONCE = basename(files.once);
export const MARK = basename(files.mark);
export const LEDGER_KEY = basename(files.ledgerKey);
export const KMS_KEY = basename(files.kmsKey);
export const CLOCK = basename(files.clock);

/** The files that every backup has. */
export const REQUIRED: readonly string[] = [LEDGER, MARK, LEDGER_KEY];
const OPTIONAL: readonly string[] = [ONCE, KMS_KEY, CLOCK];
const SIGNING_KEY = /^signing-key(?:-[1-9][0-9]{0,8})?\.pem$/;

export function isSigningKey(name: string): boolean {
  return SIGNING_KEY.test(name);
}

/** Whether a backup may contain a file of this name, besides manifest and checksums. */
export function mayHold(name: string): boolean {
  return REQUIRED.includes(name) || OPTIONAL.includes(name) || isSigningKey(name);
}

/** Files that a data directory has only while it is used. A restore does not need them. */
const OF_THE_RUN: readonly string[] = [files.lock, files.owner, files.ledgerDamage, files.onceDamage].map((path) =>
  basename(path),
);

export function isOfTheRun(name: string): boolean {
  return OF_THE_RUN.includes(name) || /^(?:ledger|once)\.db-(?:wal|shm|journal)$/.test(name);
}

/** Whether a directory is a backup. No process writes to it. */
export function isBackup(directory: string): boolean {
  return existsSync(join(directory, MANIFEST));
}

/** Returns the files of the signing keys that the service created in a data directory. */
export async function signingKeysIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter(isSigningKey).sort();
}

/** This file exists during a backup or restore, so that the directory of an interrupted one can be recognised. */
export const UNFINISHED = 'unfinished';

/** Whether an interrupted backup or restore left the directory. Any other directory of that name must not be removed. */
export function isUnfinished(directory: string): boolean {
  return lstatSync(join(directory, UNFINISHED), { throwIfNoEntry: false })?.isFile() === true;
}
