// Rows in raw SQLite, with the durability that the ledger has: WAL, synchronous=FULL, one index, 16 rows a commit.

import { DatabaseSync } from 'node:sqlite';
import { inBatches, type Rows } from './row-batches.ts';

export function openRows(path: string): Rows {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE entries (idx INTEGER PRIMARY KEY, name TEXT, scope TEXT, leaf BLOB, salt BLOB, content BLOB) STRICT;
    CREATE UNIQUE INDEX entries_by_name ON entries (name, scope);
  `);
  const begin = database.prepare('BEGIN IMMEDIATE');
  const insert = database.prepare('INSERT INTO entries (name, scope, leaf, salt, content) VALUES (?, ?, ?, ?, ?)');
  const end = database.prepare('COMMIT');
  return inBatches((rows) => {
    begin.run();
    for (const { name, scope, leaf, salt, content } of rows) insert.run(name, scope, leaf, salt, content);
    end.run();
  });
}
