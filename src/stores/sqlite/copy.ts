// Copies a database as of one moment, also while a service writes it.

import { type BigIntStats, closeSync, existsSync, fdatasyncSync, openSync, realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { EXPIRING_KEYS, LEDGER } from '../store-reasons.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { diskFailed, type FileReasons, translated } from './failures.ts';
import type { Layout } from './layout.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';
import { openReadOnlyDatabase } from './open-database.ts';

/**
 * Copies all pages in one step, which is one read transaction of the source: its writers continue, and cannot restart the copy. With
 * steps of 100 pages, as in `sqlite3 .backup`, the copy of a continuously written source never ends.
 */
const ALL_PAGES = 2 ** 31 - 1;
/** A service may start and stop while a file is read that no process had open before. */
const MAX_ATTEMPTS = 3;

/**
 * Copies the ledger at `from` into the empty file at `to`. The copy contains every commit that was durable when it began, and each commit
 * completely or not at all. When this returns, everything in the copy is durable in the source. STORAGE_FULL if there is no space at
 * `to`.
 */
export function copyLedger(from: string, to: string): Promise<void> {
  return copy(from, to, LEDGER_LAYOUT, LEDGER);
}

/** The same for `once.db`. */
export function copyOnce(from: string, to: string): Promise<void> {
  return copy(from, to, EXPIRING_KEY_LAYOUT, EXPIRING_KEYS);
}

async function copy(path: string, to: string, layout: Layout, purpose: FileReasons): Promise<void> {
  const reasons = { ...purpose, file: basename(path) };
  // SQLite creates the companion files of a database beside the target of a link.
  const from = realpathSync(path);
  for (let attempt = 1; ; attempt++) {
    // A database that no process has open is read as a plain file, so that SQLite creates no other file.
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
  reasons: FileReasons,
  isAtRest: boolean,
): Promise<void> {
  const source = openReadOnlyDatabase(from, layout, reasons, isAtRest);
  try {
    await backup(source.connection, to, { rate: ALL_PAGES });
    // A commit can be read before it is durable, and the copy must not contain what a crash can revert.
    if (!isAtRest) syncFile(`${from}-wal`, reasons);
  } catch (error) {
    throw translated(error, reasons);
  } finally {
    source.close();
  }
}

/** A backup may be read in a read-only directory, so that SQLite must create no files beside it. */
export function leaveWalMode(path: string, reasons: FileReasons): void {
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

/** Closing this file releases no lock: SQLite has none on a write-ahead file. */
function syncFile(path: string, reasons: FileReasons): void {
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

/** Another value after each change of the file. */
function versionOf(path: string): string | undefined {
  const stats: BigIntStats | undefined = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}
