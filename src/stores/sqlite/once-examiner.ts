// Looks for damage in the file of what is remembered once: whether each row is found by its key and by its end, and whether the
// digest of a use is that of what was used. A use that is not found would be granted a second time.

import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { EctError } from '../../errors.ts';
import type { SqliteDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';
import { ONCE_LAYOUT, type OnceTableName } from './once-layout.ts';
import { openReadOnlyDatabase } from './open-database.ts';
import { schemaFault } from './schema-check.ts';

/** Here damage is to be told from a failure of the disk. */
const REASONS: StoreReasons = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'memory of uses' };

/** Rows of one part of a pass, and the row id after which the next part begins; undefined after the last. */
export interface ExaminedRows {
  readonly rows: number;
  readonly next: number | undefined;
  readonly faults: readonly string[];
}

export class OnceExaminer {
  readonly #path: string;
  readonly #database: SqliteDatabase;

  private constructor(path: string, database: SqliteDatabase) {
    this.#path = path;
    this.#database = database;
  }

  /** `isAtRest`: nobody has it open for writing, so it is read without locks. */
  static open(path: string, isAtRest = false): OnceExaminer {
    return new OnceExaminer(path, openReadOnlyDatabase(path, ONCE_LAYOUT, REASONS, isAtRest));
  }

  /** The id of the newest row; 0 where there is none. */
  lastRow(table: OnceTableName): number {
    const { connection } = this.#database;
    const row = this.#database.read(() =>
      connection.prepare(`SELECT coalesce(max(rowid), 0) AS id FROM ${table}`).get(),
    );
    return Number(row?.['id']);
  }

  /** Examines rows of a table in the order in which they came. They come and go meanwhile, so a part sees one state of the file. */
  rowsFrom(table: OnceTableName, after: number, limit: number): ExaminedRows {
    const { connection } = this.#database;
    return this.#database.snapshot(() => {
      const rows = connection
        .prepare(
          `SELECT rowid AS id, key, digest, content, keep_until FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT ?`,
        )
        .all(after, limit);
      const byKey = connection.prepare(`SELECT rowid AS id FROM ${table} WHERE key = ?`);
      const byEnd = connection.prepare(
        `SELECT 1 FROM ${table} INDEXED BY ${table}_by_end WHERE keep_until = ? AND rowid = ?`,
      );
      const faults = rows.flatMap((row) => {
        if (byKey.get(row['key']!)?.['id'] !== row['id']) return [`a row of ${table} is not found by its key`];
        if (byEnd.get(row['keep_until']!, row['id']!) === undefined)
          return [`a row of ${table} is not found by its end`];
        if (table === 'uses' && !isDigestOf(row)) return [`a digest in ${table} is not that of what was used`];
        return [];
      });
      return { rows: rows.length, next: rows.length < limit ? undefined : Number(rows.at(-1)?.['id']), faults };
    });
  }

  /** What is wrong with the file apart from its rows; a file larger than that is not read as a whole by SQLite's own check. */
  wholeFaults(structureBytes: number): readonly string[] {
    const { connection } = this.#database;
    return this.#database.read(() => {
      const schema = schemaFault(connection, ONCE_LAYOUT);
      const isSmall = statSync(this.#path).size <= structureBytes;
      const structure = isSmall ? connection.prepare('PRAGMA integrity_check(20)').all() : [];
      const texts = structure.map((row) => String(Object.values(row)[0])).filter((text) => text !== 'ok');
      return [...(schema === undefined ? [] : [schema]), ...texts.map((text) => `SQLite: ${text}`)];
    });
  }

  close(): void {
    this.#database.close();
  }
}

/** Rows from before signing inputs were kept have none. */
function isDigestOf({ digest, content }: Readonly<Record<string, unknown>>): boolean {
  if (content === '') return true;
  return digest instanceof Uint8Array && Buffer.compare(digest, hash('sha256', String(content), 'buffer')) === 0;
}

/** Damage as its sentence; whatever else was thrown is thrown on. */
export function damageIn(error: unknown): string {
  if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return error.message;
  throw error;
}
