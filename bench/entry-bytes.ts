// What an entry takes on the disk, in each store: root tasks of the usual size, as `recorded-entries.ts` makes them.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LedgerKey } from '../src/ledger/index.ts';
import { SqliteLedgerStore } from '../src/stores/sqlite/index.ts';
import type { DatabaseServer } from './postgres-server.ts';
import { recordUpTo } from './recorded-entries.ts';
import type { TokenSigner } from './tokens.ts';

/** Bytes of an entry. */
export interface EntryBytes {
  /** Rows of the table. */
  readonly rows: number;
  /** All indexes. */
  readonly indexes: number;
}

/** Of the entries that are in the database. */
export async function postgresEntryBytes(server: DatabaseServer, database: string): Promise<EntryBytes> {
  const [found] = await server.query(
    database,
    `SELECT pg_table_size('ect.entries') AS rows, pg_indexes_size('ect.entries') AS indexes,
       (SELECT size FROM ect.head) AS entries`,
  );
  const entries = Number(found?.['entries']);
  return { rows: Number(found?.['rows']) / entries, indexes: Number(found?.['indexes']) / entries };
}

/** Of a new file with so many entries, once its write-ahead file is moved into it. */
export async function sqliteEntryBytes(
  folder: string,
  entries: number,
  key: LedgerKey,
  jwk: TokenSigner['jwk'],
): Promise<number> {
  const path = join(folder, 'entry-bytes.db');
  const store = SqliteLedgerStore.open(path);
  try {
    await recordUpTo(entries, store, key, jwk);
  } finally {
    await store.close();
  }
  return (await stat(path)).size / entries;
}
