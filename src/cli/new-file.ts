// Writes new files. An existing file is never overwritten.

import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileFault } from '../files/system-faults.ts';
import { Rejected } from './exit.ts';

/** Writes a new file. Its mode is set when it is created, so other users can never open a secret. */
export async function writeNewFile(path: string, text: string, remedy: string, mode = 0o600): Promise<void> {
  try {
    await using file = await open(path, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') throw fileExists(path, remedy);
    throw new Rejected({
      reason: 'file_unwritable',
      message: fileFault(path, cause, 'written'),
      remedy,
      metadata: {},
    });
  }
}

/** Throws if there is a file already, before a command does what it would then have no place for. */
export function rejectExisting(path: string, remedy: string): void {
  if (existsSync(path)) throw fileExists(path, remedy);
}

function fileExists(path: string, remedy: string): Rejected {
  const message = `${path} exists already and was not touched`;
  return new Rejected({ reason: 'file_exists', message, remedy, metadata: {} });
}
