// Front door of backups.

import type { Backups } from '../cli/backup.ts';
import { makeBackup } from './make-backup.ts';
import { restoreBackup } from './restore.ts';

export const backups: Backups = { make: makeBackup, restore: restoreBackup };
