// Rows of the ledger's tables and the shapes that the port speaks of. A row that cannot be is LEDGER_CORRUPT.

import type { SQLOutputValue } from 'node:sqlite';
import { EctError, reject } from '../../errors.ts';
import type { Head, LedgerDocument, LedgerRecord } from '../../ledger/index.ts';
import { subtreeCount } from '../tree-layout.ts';

export const HASH_BYTES = 32;

/** A row as the driver hands it over. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

const PLACE_COLUMNS = 'idx, scope, name, author, recorded_at, digest, leaf';

/** Columns of an entry without its content; `content`, `salt` and `provenance` read as null. */
export const ENTRY_COLUMNS = `${PLACE_COLUMNS}, NULL AS salt, NULL AS content, NULL AS provenance`;

/** Columns of an entry, all of them. `hasProvenance`: of the layout of the file. */
export function entryColumnsWithContent(hasProvenance: boolean): string {
  return `${PLACE_COLUMNS}, salt, content, ${hasProvenance ? '' : 'NULL AS '}provenance`;
}

export function recordOf(row: Row): LedgerRecord {
  return {
    index: wholeNumber(row, 'idx'),
    scope: text(row, 'scope'),
    name: text(row, 'name'),
    author: text(row, 'author'),
    digest: bytes(row, 'digest'),
    recordedAtMs: wholeNumber(row, 'recorded_at'),
    leaf: bytes(row, 'leaf'),
    salt: row['salt'] === null ? null : bytes(row, 'salt'),
    content: row['content'] === null ? null : bytes(row, 'content'),
    provenance: row['provenance'] === null ? null : bytes(row, 'provenance'),
  };
}

export function documentOf(row: Row): LedgerDocument {
  return { digest: text(row, 'digest'), content: bytes(row, 'content') };
}

export function headOf(row: Row): Head {
  const size = wholeNumber(row, 'size');
  const frontier = bytes(row, 'frontier');
  if (frontier.length !== subtreeCount(size) * HASH_BYTES) throw corrupt('The head does not fit its size.');
  return {
    size,
    frontier: Array.from({ length: subtreeCount(size) }, (_, place) =>
      frontier.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES),
    ),
    recordedAtMs: wholeNumber(row, 'recorded_at'),
    checkpoint: text(row, 'checkpoint'),
  };
}

export function hashOf(row: Row | undefined): Uint8Array {
  if (row === undefined) throw corrupt('The tree lacks a node.');
  const hash = bytes(row, 'hash');
  if (hash.length !== HASH_BYTES) throw corrupt('The tree lacks a node.');
  return hash;
}

export function corrupt(message: string): EctError {
  return new EctError(reject('LEDGER_CORRUPT', message));
}

function wholeNumber(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw corrupt(`A row has a bad ${column}.`);
  return value;
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw corrupt(`A row has a bad ${column}.`);
  return value;
}

function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw corrupt(`A row has a bad ${column}.`);
  return value;
}
