// The columns of the ledger's tables as SQLite's driver returns them.

import type { SQLOutputValue } from 'node:sqlite';
import type { Head, LedgerRecord } from '../../ledger/index.ts';
import { type ColumnReaders, invalid, type Row, readHead, readRecord, text } from '../ledger-rows.ts';

/** A row as the driver returns it. */
export type SqliteRow = Readonly<Record<string, SQLOutputValue>>;

const PLACE_COLUMNS = 'idx, scope, name, author, recorded_at, digest, leaf';

/** Columns of an entry without its content; `content`, `salt` and `provenance` read as null. */
export const ENTRY_COLUMNS = `${PLACE_COLUMNS}, NULL AS salt, NULL AS content, NULL AS provenance`;

/** Columns of an entry, all of them. `hasProvenance`: whether the layout of the file has that column. */
export function entryColumnsWithContent(hasProvenance: boolean): string {
  return `${PLACE_COLUMNS}, salt, content, ${hasProvenance ? '' : 'NULL AS '}provenance`;
}

const READERS: ColumnReaders = { wholeNumber, name: text };

export function recordOf(row: Row): LedgerRecord {
  return readRecord(row, READERS);
}

export function headOf(row: Row): Head {
  return readHead(row, READERS);
}

function wholeNumber(row: Row, column: string): number {
  const value = row[column];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : invalid(column);
}
