// The columns of the ledger's tables as PostgreSQL's driver returns them.

import type { Head, LedgerRecord } from '../../ledger/index.ts';
import { bytes, type ColumnReaders, invalid, type Row, readHead, readRecord } from '../ledger-rows.ts';

const PLACE_COLUMNS = 'e.idx, e.scope, e.name, e.author, e.recorded_at, e.digest, e.leaf';

/** Columns of an entry `e` without its content; `content`, `salt` and `provenance` read as null. */
export const ENTRY_COLUMNS = `${PLACE_COLUMNS}, NULL::bytea AS salt, NULL::bytea AS content, NULL::bytea AS provenance`;

/** All columns of an entry `e`. */
export const ENTRY_COLUMNS_WITH_CONTENT = `${PLACE_COLUMNS}, e.salt, e.content, e.provenance`;

const READERS: ColumnReaders = { wholeNumber, name };

export function recordOf(row: Row): LedgerRecord {
  return readRecord(row, READERS);
}

export function headOf(row: Row): Head {
  return readHead(row, READERS);
}

/** A `bigint` column, which the driver returns as text because it may exceed 2^53. */
export function wholeNumber(row: Row, column: string): number {
  const value = row[column];
  const number = typeof value === 'string' && /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) ? number : invalid(column);
}

/** Names are `bytea` columns, because `text` cannot hold U+0000. */
function name(row: Row, column: string): string {
  return Buffer.from(bytes(row, column)).toString('utf8');
}
