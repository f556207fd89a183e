// The public interface of backups.

import type { Backups } from '../cli/backup.ts';
import { makeBackup } from './make-backup.ts';
import { rejection } from './rejections.ts';
import { restoreBackup } from './restore.ts';

export { onceFaults } from './examine.ts';
export { isBackup } from './names.ts';

/**
 * Returns the operations of `ect backup` and `ect restore`. `env` contains the settings; a ledger in a database is rejected, because it
 * is backed up with the tools of the database.
 */
export function backupsOf(env: Readonly<Record<string, string | undefined>>): Backups {
  if (env['ECT_STORE'] !== 'postgres') return { make: makeBackup, restore: restoreBackup };
  return { make: rejectDatabase, restore: rejectDatabase };
}

function rejectDatabase(): Promise<never> {
  return Promise.reject(
    rejection(
      'in_database',
      'The ledger is in PostgreSQL (ECT_STORE=postgres), and this command copies files.',
      'Use pg_dump, or base backups with point-in-time recovery, and keep the key files like other secrets.',
    ),
  );
}
