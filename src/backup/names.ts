// Which files a backup holds, by name. Names in a backup are attacker-controlled: none but these is ever written.

import { existsSync, lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { filesIn } from '../data-directory/data-dir.ts';

/** What a backup says of itself: the ledger in it, its files with their sizes, when and by which release it was made. */
export const MANIFEST = 'backup.json';
/** SHA-256 of every other file, as `sha256sum --check` reads it. Written last: a directory without it is no backup. */
export const CHECKSUMS = 'SHA256SUMS';

const files = filesIn('.');
export const LEDGER = basename(files.ledger);
export const ONCE = basename(files.once);
export const MARK = basename(files.mark);
export const LEDGER_KEY = basename(files.ledgerKey);
export const KMS_KEY = basename(files.kmsKey);
export const CLOCK = basename(files.clock);

/** What every backup has. */
export const REQUIRED: readonly string[] = [LEDGER, MARK, LEDGER_KEY];
const OPTIONAL: readonly string[] = [ONCE, KMS_KEY, CLOCK];
const SIGNING_KEY = /^signing-key(?:-[1-9][0-9]{0,8})?\.pem$/;

export function isSigningKey(name: string): boolean {
  return SIGNING_KEY.test(name);
}

/** Whether a backup may hold a file of this name, beside what it says of itself. */
export function mayHold(name: string): boolean {
  return REQUIRED.includes(name) || OPTIONAL.includes(name) || isSigningKey(name);
}

/** What a data directory has beside that while it is used: nothing that a restore needs. */
const OF_THE_RUN: readonly string[] = [files.lock, files.owner, files.ledgerDamage, files.onceDamage].map((path) =>
  basename(path),
);

export function isOfTheRun(name: string): boolean {
  return OF_THE_RUN.includes(name) || /^(?:ledger|once)\.db-(?:wal|shm|journal)$/.test(name);
}

/** Whether a directory is a backup, to which no process writes. */
export function isBackup(directory: string): boolean {
  return existsSync(join(directory, MANIFEST));
}

/** The signing keys that the service made, in a data directory. */
export async function signingKeysIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter(isSigningKey).sort();
}

/** Exists during a backup or a restore, so that the directory of a killed one can be distinguished from other directories. */
export const UNFINISHED = 'unfinished';

/** Whether a backup or a restore left the directory. Something else under that name is another party's. */
export function isUnfinished(directory: string): boolean {
  return lstatSync(join(directory, UNFINISHED), { throwIfNoEntry: false })?.isFile() === true;
}
