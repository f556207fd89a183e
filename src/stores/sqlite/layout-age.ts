// The release that wrote a file: a restore may meet files of older and of newer releases.

import { DatabaseSync } from 'node:sqlite';
import { EXPIRING_KEYS } from '../store-reasons.ts';
import { leaveWalMode } from './copy.ts';
import { BUSY_TIMEOUT_MS } from './database.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { fileUrlFor } from './file.ts';
import type { Layout } from './layout.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';
import { openDatabase } from './open-database.ts';

/** `older`: this release upgrades it. Other faults of the file are found by its examination. */
export type LayoutAge = 'older' | 'same' | 'newer';

/** `isAtRest`: no process has it open for writing. */
export function ledgerAge(path: string, isAtRest: boolean): LayoutAge {
  return ageOf(path, LEDGER_LAYOUT, isAtRest);
}

/** The same for `once.db`. */
export function onceAge(path: string, isAtRest: boolean): LayoutAge {
  return ageOf(path, EXPIRING_KEY_LAYOUT, isAtRest);
}

/** Upgrades a file of an older release, as a start does. No service may have it open. ONCE_CORRUPT if it is damaged. */
export async function upgradeOnce(path: string): Promise<void> {
  await openDatabase(path, EXPIRING_KEY_LAYOUT, EXPIRING_KEYS).end();
  // The copy in a backup is read in a directory where no file may be created.
  leaveWalMode(path, EXPIRING_KEYS);
}

function ageOf(path: string, { applicationId, version: current, upgrades = {} }: Layout, isAtRest: boolean): LayoutAge {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(fileUrlFor(path, EXPIRING_KEYS, isAtRest), {
      readOnly: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    const read = (name: string) => connection?.prepare(`SELECT ${name} AS n FROM pragma_${name}`).get()?.['n'];
    const version = Number(read('user_version'));
    if (read('application_id') !== applicationId) return 'same';
    if (version > current) return 'newer';
    return upgrades[version] === undefined ? 'same' : 'older';
  } catch {
    return 'same';
  } finally {
    connection?.close();
  }
}
