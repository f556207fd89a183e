// Error messages of backup and restore, with their remedies.

import { Rejected, STORE_REMEDY } from '../cli/exit.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { DirectoryInUse } from '../data-directory/ownership.ts';
import { EctError } from '../errors.ts';
import { writeFault } from '../files/system-faults.ts';

/** The reasons of these two commands. Those in capitals are reasons of the service. */
export type BackupReason =
  | 'backup_exists'
  | 'backup_running'
  | 'backup_unwritable'
  | 'backup_incomplete'
  | 'backup_damaged'
  | 'backup_older'
  | 'backup_newer'
  | 'directory_in_use'
  | 'directory_not_empty'
  | 'directory_unusable'
  | 'other_ledger'
  | 'no_ledger'
  | 'history_lost'
  | 'in_database'
  | 'key_unusable'
  | 'files_changed'
  | 'LEDGER_CORRUPT'
  | 'ONCE_CORRUPT'
  | 'LEDGER_UNAVAILABLE'
  | 'STORAGE_FULL';

export function rejection(reason: BackupReason, message: string, remedy: string): Rejected {
  return new Rejected({ reason, message, remedy, metadata: {} });
}

/** Converts an error that occurred while writing below `directory` into a rejection. */
export function writeRejection(directory: string, error: unknown): Error {
  if (error instanceof Rejected) return error;
  if (isFullError(error)) return noSpace(directory);
  if (error instanceof DirectoryInUse) {
    return rejection('directory_in_use', error.fact, `${error.firstStep}, or name another directory.`);
  }
  if (error instanceof StartError) {
    return rejection('directory_unusable', error.message, 'Do what the message says, or name another directory.');
  }
  if (error instanceof EctError) {
    return new Rejected({
      reason: error.reason,
      message: error.message,
      remedy: STORE_REMEDY,
      metadata: error.metadata,
    });
  }
  if (!(error instanceof Error) || !('code' in error)) return error instanceof Error ? error : new Error(String(error));
  const message = writeFault(directory, error);
  return rejection('backup_unwritable', message, 'Name a directory that this user can write, or run as another user.');
}

export function noSpace(directory: string, detail = ''): Rejected {
  const message = `There is no space left on the disk of ${directory}${detail}.`;
  return rejection('STORAGE_FULL', message, 'Free some space, or name a directory on another disk.');
}

function isFullError(error: unknown): boolean {
  if (error instanceof EctError) return error.reason === 'STORAGE_FULL';
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' || isFullError(error.cause);
}
