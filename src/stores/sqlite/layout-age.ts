// Which release a file at hand is of: a restore meets files from before an upgrade, and from after one.

import { DatabaseSync } from 'node:sqlite';
import { leaveWalMode } from './copy.ts';
import { BUSY_TIMEOUT_MS } from './database.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import type { StoreReasons } from './failures.ts';
import { fileUrlFor } from './file.ts';
import type { Layout } from './layout.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';
import { openDatabase } from './open-database.ts';

/** `older`: this release brings it up to date. What is wrong with it apart from its version is for those who examine it to say. */
export type LayoutAge = 'older' | 'same' | 'newer';

const REASONS: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of used tokens',
};

/** `isAtRest`: no process has it open for writing. */
export function ledgerAge(path: string, isAtRest: boolean): LayoutAge {
  return ageOf(path, LEDGER_LAYOUT, isAtRest);
}

/** The same for the file of what is remembered once. */
export function onceAge(path: string, isAtRest: boolean): LayoutAge {
  return ageOf(path, EXPIRING_KEY_LAYOUT, isAtRest);
}

/** Brings a file of an older release up to date, as a start does. No service may have it open. ONCE_CORRUPT where it is damaged. */
export async function upgradeOnce(path: string): Promise<void> {
  await openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS).end();
  // The copy of a backup is read where nothing is to be made beside it.
  leaveWalMode(path, REASONS);
}

function ageOf(path: string, { applicationId, version: current, upgrades = {} }: Layout, isAtRest: boolean): LayoutAge {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(fileUrlFor(path, REASONS, isAtRest), { readOnly: true, timeout: BUSY_TIMEOUT_MS });
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
