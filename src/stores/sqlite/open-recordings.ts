// Open recording orders, from one file of what is remembered once into a copy of a later moment.

import { existsSync, realpathSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { type StoreReasons, translated } from './failures.ts';
import { openReadOnlyDatabase } from './open-database.ts';

const REASONS: StoreReasons = {
  unavailable: 'LEDGER_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'pending recordings',
};

const COLUMNS = 'key, wid, jti, iss, caller, digest, token, ordered_at, failure, is_open, due, provenance';

/** Rows as stored in the file. */
export type OpenRecordings = readonly Readonly<Record<string, SQLInputValue>>[];

/** Reads them, also while a service writes the file. */
export function readOpenRecordings(path: string): OpenRecordings {
  const file = realpathSync(path);
  const database = openReadOnlyDatabase(file, EXPIRING_KEY_LAYOUT, REASONS, !existsSync(`${file}-wal`));
  try {
    return database.read(() =>
      database.connection.prepare(`SELECT ${COLUMNS} FROM orders WHERE is_open = 1`).all(),
    ) as OpenRecordings;
  } finally {
    database.close();
  }
}

/** Adds those that the copy at `path` lacks. No process may have it open. */
export function addOpenRecordings(path: string, recordings: OpenRecordings): void {
  if (recordings.length === 0) return;
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(path);
    const places = COLUMNS.split(', ').map((column) => `:${column}`);
    const add = connection.prepare(`INSERT OR IGNORE INTO orders (${COLUMNS}) VALUES (${places.join(', ')})`);
    connection.exec('BEGIN');
    for (const recording of recordings) add.run({ ...recording });
    connection.exec('COMMIT');
  } catch (error) {
    throw translated(error, REASONS);
  } finally {
    connection?.close();
  }
}
