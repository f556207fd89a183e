// Copies pending recordings from an `once.db` into a later copy of it.

import { existsSync, realpathSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { PENDING_RECORDINGS } from '../store-reasons.ts';
import { EXPIRING_KEY_LAYOUT, orderColumns } from './expiring-key-layout.ts';
import { translated } from './failures.ts';
import { layoutOf } from './layout.ts';
import { openReadOnlyDatabase } from './open-database.ts';

/** Rows as stored in the file. */
export type OpenRecordings = readonly Readonly<Record<string, SQLInputValue>>[];

/** Reads them, also while a service writes the file. */
export function readOpenRecordings(path: string): OpenRecordings {
  const file = realpathSync(path);
  const database = openReadOnlyDatabase(file, EXPIRING_KEY_LAYOUT, PENDING_RECORDINGS, !existsSync(`${file}-wal`));
  try {
    return database.read(() => {
      const columns = orderColumns(layoutOf(database.connection, EXPIRING_KEY_LAYOUT));
      return database.connection.prepare(`SELECT ${columns} FROM orders WHERE is_open = 1`).all();
    }) as OpenRecordings;
  } finally {
    database.close();
  }
}

/** Adds those that the copy at `path` lacks. No process may have it open. It is of the layout that they were read from, or of a later one. */
export function addOpenRecordings(path: string, recordings: OpenRecordings): void {
  const [first] = recordings;
  if (first === undefined) return;
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(path);
    const columns = Object.keys(first);
    const places = columns.map((column) => `:${column}`);
    const add = connection.prepare(
      `INSERT OR IGNORE INTO orders (${columns.join(', ')}) VALUES (${places.join(', ')})`,
    );
    connection.exec('BEGIN');
    for (const recording of recordings) add.run({ ...recording });
    connection.exec('COMMIT');
  } catch (error) {
    throw translated(error, PENDING_RECORDINGS);
  } finally {
    connection?.close();
  }
}
