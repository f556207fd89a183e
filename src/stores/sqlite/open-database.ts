// Opens a file with the settings that durability needs.

import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Backfill } from './backfill.ts';
import { rejectCutFile } from './cut-file.ts';
import { BUSY_TIMEOUT_MS, SqliteDatabase } from './database.ts';
import { type FileReasons, translated } from './failures.ts';
import { createFile, fileUrlFor } from './file.ts';
import { FilesInPlace } from './files-in-place.ts';
import { type Layout, prepareLayout, rejectOtherLayout } from './layout.ts';
import type { StorageWatch } from './storage-watch.ts';
import { WriteAheadFile } from './write-ahead-file.ts';

/**
 * Pages in the write-ahead file after which a commit moves them itself and blocks the event loop. The backfill thread normally moves them
 * much earlier.
 */
const WAL_AUTOCHECKPOINT_PAGES = 64_000;

/**
 * Page cache of one connection in KiB (in SQLite a negative number means KiB). SQLite iterates over the slots of its cache at each
 * commit, which costs more than a larger cache saves, because the operating system caches the pages too.
 */
const CACHE_KIB = 4 * 1024;

/** Opens a file for reading and writing, and creates it (mode 0600) and its schema if it does not exist. */
export function openDatabase(path: string, layout: Layout, purpose: FileReasons, watch?: StorageWatch): SqliteDatabase {
  const reasons = { ...purpose, file: basename(path) };
  const file = createFile(path, reasons);
  rejectCutFile(file, reasons);
  return opened(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false }, reasons, (connection) => {
    connection.exec('PRAGMA trusted_schema=OFF; PRAGMA recursive_triggers=ON; PRAGMA synchronous=FULL');
    connection.exec(`PRAGMA wal_autocheckpoint=${WAL_AUTOCHECKPOINT_PAGES}; PRAGMA cache_size=-${CACHE_KIB}`);
    prepareLayout(new SqliteDatabase(connection, reasons), file, layout, reasons);
    // From here on commits are synced outside the event loop. SQLite still syncs what recovery needs: the write-ahead file before its
    // pages are moved, and the main file before the write-ahead file restarts. The read makes SQLite open that file.
    connection.exec('PRAGMA synchronous=NORMAL; SELECT 1 FROM sqlite_schema');
    const disk = new WriteAheadFile(file, reasons);
    const backfill = new Backfill(file, connection, (error) => watch?.failed(reasons.file, 'move', error));
    const files = new FilesInPlace(file);
    return new SqliteDatabase(connection, reasons, { disk, backfill, files, watch });
  });
}

/**
 * Opens a file for reading only, also while a service writes it. The file is never changed; SQLite may create its shared-memory index
 * beside it. If the directory is read-only and no process has the file open for writing, or if the caller guarantees that (`isAtRest`),
 * it is read as a file that does not change.
 */
export function openReadOnlyDatabase(
  path: string,
  layout: Layout,
  purpose: FileReasons,
  isAtRest = false,
): SqliteDatabase {
  const reasons = { ...purpose, file: basename(path) };
  const options = { readOnly: true, timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false };
  const url = fileUrlFor(path, reasons, isAtRest);
  rejectCutFile(path, reasons);
  return opened(url, options, reasons, (connection) => {
    connection.exec(`PRAGMA trusted_schema=OFF; PRAGMA query_only=ON; PRAGMA cache_size=-${CACHE_KIB}`);
    rejectOtherLayout(connection, path, layout, reasons, true);
    return new SqliteDatabase(connection, reasons);
  });
}

function opened(
  file: string | URL,
  options: ConstructorParameters<typeof DatabaseSync>[1],
  reasons: FileReasons,
  settle: (connection: DatabaseSync) => SqliteDatabase,
): SqliteDatabase {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(file, options);
    return settle(connection);
  } catch (error) {
    connection?.close();
    throw translated(error, reasons);
  }
}
