// Rows in raw SQLite, with the durability that the ledger has: WAL, synchronous=FULL, one index, 16 rows a commit.

import { DatabaseSync } from 'node:sqlite';

const ROWS_A_COMMIT = 16;
/** How long the last few rows wait for others, in milliseconds. */
const FEW_WAIT_MS = 2;

interface Row {
  readonly name: string;
  readonly scope: string;
  readonly leaf: Uint8Array;
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
}

export interface Rows {
  /** Adds a row; `onDurable` hears of the commit that it was part of. */
  add(row: Row, onDurable: () => void): void;
}

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
  let waiting: (readonly [Row, () => void])[] = [];
  let timer: NodeJS.Timeout | undefined;

  function commit(): void {
    clearTimeout(timer);
    timer = undefined;
    const group = waiting;
    waiting = [];
    begin.run();
    for (const [{ name, scope, leaf, salt, content }] of group) insert.run(name, scope, leaf, salt, content);
    end.run();
    for (const [, onDurable] of group) onDurable();
  }

  return {
    add: (row, onDurable) => {
      waiting.push([row, onDurable]);
      if (waiting.length === ROWS_A_COMMIT) commit();
      else timer ??= setTimeout(commit, FEW_WAIT_MS);
    },
  };
}
