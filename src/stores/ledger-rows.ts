// Converts rows of the ledger's tables to the types of the port. A row with an impossible value is LEDGER_CORRUPT.

import { EctError, reject } from '../errors.ts';
import type { Head, LedgerDocument, LedgerRecord } from '../ledger/index.ts';
import { subtreeCount } from './tree-layout.ts';

export const HASH_BYTES = 32;

/** A row as the driver returns it. */
export type Row = Readonly<Record<string, unknown>>;

/** How a driver returns the columns that differ. Each throws LEDGER_CORRUPT for an impossible value. */
export interface ColumnReaders {
  /** An integer from 0 to 2^53 - 1. */
  readonly wholeNumber: (row: Row, column: string) => number;
  /** A scope, a name or an author. */
  readonly name: (row: Row, column: string) => string;
}

export function readRecord(row: Row, { wholeNumber, name }: ColumnReaders): LedgerRecord {
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

export function readHead(row: Row, { wholeNumber }: ColumnReaders): Head {
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

export function text(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : invalid(column);
}

export function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  return value instanceof Uint8Array ? value : invalid(column);
}

/** Throws the error for a column with an impossible value. */
export function invalid(column: string): never {
  throw corrupt(`A row has a bad ${column}.`);
}

export function corrupt(message: string): EctError {
  return new EctError(reject('LEDGER_CORRUPT', message));
}
