// Error messages of a copy, with their remedies.

import { Rejected } from '../cli/exit.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { DirectoryInUse } from '../data-directory/ownership.ts';
import { EctError } from '../errors.ts';

/** The reasons of this command. Those in capitals are reasons of the service. */
export type CopyReason =
  | 'database_in_use'
  | 'database_unusable'
  | 'directory_in_use'
  | 'directory_not_empty'
  | 'directory_unusable'
  | 'history_lost'
  | 'no_ledger'
  | 'other_ledger'
  | 'entries_to_come'
  | 'target_ahead'
  | 'target_changed'
  | 'target_differs'
  | 'LEDGER_CORRUPT'
  | 'ONCE_CORRUPT';

export function rejection(reason: CopyReason, message: string, remedy: string): Rejected {
  return new Rejected({ reason, message, remedy, metadata: {} });
}

/** The error for a damaged source. `index` is the index of the entry. */
export function damagedSource(name: string, index: number | undefined, fault: string): Rejected {
  return new Rejected({
    reason: 'LEDGER_CORRUPT',
    message: `The ledger in ${name} is damaged${index === undefined ? '' : ` at entry ${index}`}: ${fault}. The copy cannot be used.`,
    remedy: 'Run `ect audit` on it, restore it from a backup, and repeat the copy.',
    metadata: index === undefined ? {} : { index: String(index) },
  });
}

/** Converts an error that occurred while a directory was opened into a rejection. */
export function directoryRejection(error: unknown): unknown {
  if (error instanceof DirectoryInUse) {
    return rejection('directory_in_use', error.fact, `${error.firstStep}, or copy from a backup.`);
  }
  if (error instanceof StartError) {
    return rejection('directory_unusable', error.message, 'Do what the message says, or name another directory.');
  }
  return error;
}

/** Whether an error means that a store is damaged. */
export function isCorrupt(error: unknown): error is EctError {
  return error instanceof EctError && error.reason === 'LEDGER_CORRUPT';
}
