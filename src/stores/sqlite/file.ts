// The file on the disk, before SQLite opens it: its existence and permissions.

import { accessSync, closeSync, constants, existsSync, fchmodSync, fsyncSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EctError, reject } from '../../errors.ts';
import { demandFile } from '../../files/file-type.ts';
import { type FileUse, fileFault } from '../../files/system-faults.ts';
import type { FileReasons } from './failures.ts';

/** Creates the file if it does not exist, and makes it readable by its owner only (0600). Returns its absolute path. */
export function createFile(path: string, reasons: FileReasons): string {
  const file = resolve(path);
  try {
    demandFile(file);
    const isNew = !existsSync(file);
    const handle = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    // SQLite gives its companion files (-wal, -shm) the mode of this one.
    fchmodSync(handle, 0o600);
    closeSync(handle);
    if (isNew) syncDirectory(dirname(file));
    return file;
  } catch (error) {
    throw cannotOpen(file, reasons, error);
  }
}

/** The URL with which SQLite opens an existing file read-only. */
export function fileUrlFor(path: string, reasons: FileReasons, isAtRest: boolean): URL {
  const file = resolve(path);
  const url = pathToFileURL(file);
  try {
    demandFile(file);
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw cannotOpen(file, reasons, error, 'read');
  }
  // Without a write-ahead file there is no writer, and if we cannot create one, SQLite could not open the file at all.
  if (isAtRest || (!existsSync(`${file}-wal`) && !mayWrite(dirname(file)))) url.searchParams.set('immutable', '1');
  return url;
}

function mayWrite(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

// A new name is durable only after its directory was synced.
function syncDirectory(directory: string): void {
  const handle = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The error for a file that the operating system refuses to open. */
export function cannotOpen(file: string, reasons: FileReasons, cause: unknown, use: FileUse = 'written'): EctError {
  const message = `The ${reasons.what} cannot be opened: ${fileFault(file, cause, use)}.`;
  return new EctError(reject(reasons.unavailable, message), { cause });
}
