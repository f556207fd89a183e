// Rows of the ledger's tables and the shapes that the port speaks of. A row that cannot be is LEDGER_CORRUPT.

import { EctError, reject } from '../../errors.ts';
import type { Head, LedgerDocument, LedgerRecord } from '../../ledger/index.ts';
import { subtreeCount } from '../tree-layout.ts';

export const HASH_BYTES = 32;

/** A row as the driver hands it over: `bigint` as text, `bytea` as bytes. */
export type Row = Readonly<Record<string, unknown>>;

const PLACE_COLUMNS = 'e.idx, e.scope, e.name, e.author, e.recorded_at, e.digest, e.leaf';

/** Columns of an entry `e` without its content; `content`, `salt` and `provenance` read as null. */
export const ENTRY_COLUMNS = `${PLACE_COLUMNS}, NULL::bytea AS salt, NULL::bytea AS content, NULL::bytea AS provenance`;

/** Columns of an entry `e`, all of them. */
export const ENTRY_COLUMNS_WITH_CONTENT = `${PLACE_COLUMNS}, e.salt, e.content, e.provenance`;

export function recordOf(row: Row): LedgerRecord {
  return {
    index: wholeNumber(row, 'idx'),
    scope: name(row, 'scope'),
    name: name(row, 'name'),
    author: name(row, 'author'),
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
  const hash = row?.['hash'];
  if (!(hash instanceof Uint8Array) || hash.length !== HASH_BYTES) throw corrupt('The tree lacks a node.');
  return hash;
}

/** A `bigint` column. The driver hands it over as text, since it may be larger than a number can be. */
export function wholeNumber(row: Row, column: string): number {
  const value = row[column];
  const number = typeof value === 'string' && /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw corrupt(`A row has a bad ${column}.`);
  return number;
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw corrupt(`A row has a bad ${column}.`);
  return value;
}

export function corrupt(message: string): EctError {
  return new EctError(reject('LEDGER_CORRUPT', message));
}

function name(row: Row, column: string): string {
  return Buffer.from(bytes(row, column)).toString('utf8');
}

function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw corrupt(`A row has a bad ${column}.`);
  return value;
}
