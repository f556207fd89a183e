// Why a backup or a restore came to nothing, and the next step.

import { Refused } from '../cli/exit.ts';
import { StartError } from '../data-dir.ts';
import { EctError } from '../errors.ts';
import { DirectoryInUse } from '../ownership.ts';
import { writeFault } from '../system-faults.ts';

/** Reasons of these two commands. Those in capitals are of the service's own vocabulary. */
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

export function refusal(reason: BackupReason, message: string, remedy: string): Refused {
  return new Refused({ reason, message, remedy, metadata: {} });
}

/** What was thrown while something was written below `directory`, as a refusal. */
export function writeRefusal(directory: string, error: unknown): Error {
  if (error instanceof Refused) return error;
  if (isFullError(error)) return noSpace(directory);
  if (error instanceof DirectoryInUse) {
    return refusal('directory_in_use', error.message, 'Stop that service, or name another directory.');
  }
  if (error instanceof StartError) {
    return refusal('directory_unusable', error.message, 'Do what the message says, or name another directory.');
  }
  if (error instanceof EctError) {
    return new Refused({
      reason: error.reason,
      message: error.message,
      remedy:
        'Do what the message says. If it names no step, look at what the system reports about the disks, and repeat the command.',
      metadata: error.facts,
    });
  }
  if (!(error instanceof Error) || !('code' in error)) return error instanceof Error ? error : new Error(String(error));
  const message = writeFault(directory, error);
  return refusal('backup_unwritable', message, 'Name a directory that this user can write, or run as another user.');
}

export function noSpace(directory: string, detail = ''): Refused {
  const message = `There is no space left on the disk of ${directory}${detail}.`;
  return refusal('STORAGE_FULL', message, 'Free some space, or name a directory on another disk.');
}

function isFullError(error: unknown): boolean {
  if (error instanceof EctError) return error.reason === 'STORAGE_FULL';
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' || isFullError(error.cause);
}
