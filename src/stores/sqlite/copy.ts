// A copy of one database as it is at one moment, also while a service writes it.

import { type BigIntStats, closeSync, existsSync, fdatasyncSync, openSync, realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { diskFailed, type StoreReasons, translated } from './failures.ts';
import type { Layout } from './layout.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';
import { openReadOnlyDatabase } from './open-database.ts';

/**
 * All pages in one step, which is one read transaction of the source: its writers go on and cannot restart the copy. With a step
 * of 100 pages, as `sqlite3 .backup` takes them, a source that is written all the time is never copied to its end.
 */
const ALL_PAGES = 2 ** 31 - 1;
/** A service may start and stop again while a file is read that no process had open before. */
const MAX_ATTEMPTS = 3;

const LEDGER: StoreReasons = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' };
const ONCE: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of used tokens',
};

/**
 * Copies the ledger at `from` into the empty file at `to`: every commit that was durable when the copy began is in it, and each
 * commit is in it as a whole or not at all. What the copy shows is durable in the source when this returns. STORAGE_FULL where there is no space at `to`.
 */
export function copyLedger(from: string, to: string): Promise<void> {
  return copy(from, to, LEDGER_LAYOUT, LEDGER);
}

/** The same for the file of what is remembered once. */
export function copyOnce(from: string, to: string): Promise<void> {
  return copy(from, to, EXPIRING_KEY_LAYOUT, ONCE);
}

async function copy(path: string, to: string, layout: Layout, purpose: StoreReasons): Promise<void> {
  const reasons = { ...purpose, file: basename(path) };
  // SQLite makes the companions of a database beside what a link leads to.
  const from = realpathSync(path);
  for (let attempt = 1; ; attempt++) {
    // A database that no process has open is read as a file, so that SQLite creates no other file.
    const before = existsSync(`${from}-wal`) ? undefined : versionOf(from);
    await copyPages(from, to, layout, reasons, before !== undefined);
    if (before === undefined || attempt === MAX_ATTEMPTS) break;
    if (!existsSync(`${from}-wal`) && before === versionOf(from)) break;
  }
  leaveWalMode(to, reasons);
}

async function copyPages(
  from: string,
  to: string,
  layout: Layout,
  reasons: StoreReasons,
  isAtRest: boolean,
): Promise<void> {
  const source = openReadOnlyDatabase(from, layout, reasons, isAtRest);
  try {
    await backup(source.connection, to, { rate: ALL_PAGES });
    // A commit can be read before it is on the disk, and what a crash of the machine can take back must not be shown.
    if (!isAtRest) syncFile(`${from}-wal`, reasons);
  } catch (error) {
    throw translated(error, reasons);
  } finally {
    source.close();
  }
}

/** A backup is read in directories that cannot be written, and nothing is to be made beside it. */
export function leaveWalMode(path: string, reasons: StoreReasons): void {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(path);
    connection.exec('PRAGMA journal_mode=DELETE');
  } catch (error) {
    throw translated(error, reasons);
  } finally {
    connection?.close();
  }
}

/** SQLite holds no lock on a write-ahead file that would go when it is closed here. */
function syncFile(path: string, reasons: StoreReasons): void {
  let handle: number | undefined;
  try {
    handle = openSync(path, 'r');
    fdatasyncSync(handle);
  } catch (error) {
    // A service that stops moves and syncs all pages, and removes the file.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw diskFailed(error, reasons);
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

/** Another one after each change of the file. */
function versionOf(path: string): string | undefined {
  const stats: BigIntStats | undefined = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}
