// Writes new files. An existing file is never overwritten.

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
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new Rejected({
      reason: exists ? 'file_exists' : 'file_unwritable',
      message: exists ? `${path} exists already and was not touched` : fileFault(path, cause, 'written'),
      remedy,
      metadata: {},
    });
  }
}
