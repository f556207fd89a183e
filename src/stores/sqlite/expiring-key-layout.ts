// The tables of expiring keys and pending recordings, in a file apart from the ledger, so that their write locks are separate.

import type { Layout } from './layout.ts';

/** Uses and request ids, each under the hash of its scope. Both tables have the same columns. */
export type ExpiringKeyTableName = 'uses' | 'issued';
/** Every table of the file. */
export type ExpiringKeyTableSpec = ExpiringKeyTableName | 'orders';
export const EXPIRING_KEY_TABLES: readonly ExpiringKeyTableSpec[] = ['uses', 'issued', 'orders'];

/**
 * Rows lie in the order in which they came, and an index leads to them by their keys: these are random, so a row inside the
 * index would cost a page of its own each time.
 */
function table(name: ExpiringKeyTableName): string {
  return `
    CREATE TABLE ${name} (
      key        BLOB    PRIMARY KEY NOT NULL CHECK (length(key) = 32),
      digest     BLOB    NOT NULL,
      label      TEXT    NOT NULL,
      content    TEXT    NOT NULL,
      keep_until INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX ${name}_by_end ON ${name} (keep_until);`;
}

/** Upgrades version 1, which had one text in each row: `label` and `content` are the columns for it. */
function carryOn(name: ExpiringKeyTableName, label: string, content: string): string {
  return `
    DROP INDEX ${name}_by_end;
    ALTER TABLE ${name} RENAME TO old_${name};
    ${table(name)}
    INSERT INTO ${name} SELECT key, digest, ${label}, ${content}, keep_until FROM old_${name};
    DROP TABLE old_${name};`;
}

/**
 * The pending recordings; the table has its name from an earlier release. `due`, in milliseconds: of a pending recording the end of its
 * lease, of a failed one when it is deleted. A completed one has no row.
 */
const ORDERS = `
    CREATE TABLE orders (
      key        BLOB    PRIMARY KEY NOT NULL CHECK (length(key) = 32),
      wid        TEXT    NOT NULL,
      jti        TEXT    NOT NULL,
      iss        TEXT    NOT NULL,
      caller     TEXT    NOT NULL,
      digest     BLOB    NOT NULL CHECK (length(digest) = 32),
      token      TEXT    NOT NULL,
      ordered_at INTEGER NOT NULL,
      failure    TEXT    NOT NULL,
      is_open    INTEGER NOT NULL CHECK (is_open IN (0, 1)),
      due        INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX orders_by_due ON orders (is_open, due);
    CREATE INDEX orders_of_callers ON orders (caller) WHERE is_open = 1;`;

/** The provenance of the entry; null in recordings of older releases. */
const PROVENANCE = 'ALTER TABLE orders ADD COLUMN provenance BLOB;';

const THIRD = table('uses') + table('issued') + ORDERS;

export const EXPIRING_KEY_LAYOUT: Layout = {
  applicationId: 0x4543544f, // "ECTO"
  version: 4,
  // All rows are deleted after a time; without this the file would keep the size of a flood.
  shrinks: true,
  schema: THIRD + PROVENANCE,
  upgrades: { 1: carryOn('uses', 'text', "''") + carryOn('issued', "''", 'text'), 2: ORDERS, 3: PROVENANCE },
  // A backup, and a copy of a stopped service, are read without an upgrade.
  readable: { 3: THIRD },
};

/** The columns of `orders` in a file of this layout. */
export function orderColumns({ version }: Pick<Layout, 'version'>): string {
  const columns = 'key, wid, jti, iss, caller, digest, token, ordered_at, failure, is_open, due';
  return version >= 4 ? `${columns}, provenance` : columns;
}
