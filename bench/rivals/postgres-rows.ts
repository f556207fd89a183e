// Rows in PostgreSQL by plain `pg`: one prepared statement a commit, one index, 16 rows a commit, several commits under way.

import { Pool } from 'pg';
import type { DatabasePlace } from '../postgres-server.ts';
import { inBatches, type Rows } from './row-batches.ts';

export type { DatabasePlace };

/** Bytes of the parts of a row, as our own entries have them. */
export interface RowSizes {
  readonly leaf: number;
  readonly salt: number;
  readonly content: number;
}

/** As many as one replica of ours has. */
const CONNECTIONS = 8;

/** What the rows go into. Made before the rival starts. */
export const PLAIN_TABLE = `
  CREATE TABLE rows (
    idx bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL, scope text NOT NULL, leaf bytea NOT NULL, salt bytea NOT NULL, content bytea NOT NULL);
  CREATE UNIQUE INDEX rows_by_name ON rows (name, scope)`;

export function openPostgresRows(place: DatabasePlace): Rows {
  const pool = new Pool({ ...place, max: CONNECTIONS });
  return inBatches(async (rows) => {
    await pool.query({
      name: 'insert',
      text: `INSERT INTO rows (name, scope, leaf, salt, content)
             SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])`,
      values: [
        rows.map(({ name }) => name),
        rows.map(({ scope }) => scope),
        rows.map(({ leaf }) => leaf),
        rows.map(({ salt }) => salt),
        rows.map(({ content }) => content),
      ],
    });
  });
}
