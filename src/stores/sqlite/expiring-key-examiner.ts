// Searches `once.db` for damage: whether each row is found by its key and by its expiry, and whether digests match the stored content. A
// use that is not found would be accepted a second time, and a pending recording never completed.

import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { EctError } from '../../errors.ts';
import { pendingKey } from '../pending-recordings.ts';
import type { SqliteDatabase } from './database.ts';
import { EXPIRING_KEY_LAYOUT, type ExpiringKeyTableSpec } from './expiring-key-layout.ts';
import type { FileReasons } from './failures.ts';
import { layoutOf } from './layout.ts';
import { openReadOnlyDatabase } from './open-database.ts';
import { schemaFault } from './schema-check.ts';

/** Distinguishes damage from a failure of the disk. */
const REASONS: FileReasons = {
  unavailable: 'LEDGER_UNAVAILABLE',
  corrupt: 'LEDGER_CORRUPT',
  what: 'store of used tokens',
};

/** Rows of one part of a pass, and the row id after which the next part begins; undefined after the last. */
export interface ExaminedRows {
  readonly rows: number;
  readonly next: number | undefined;
  readonly faults: readonly string[];
}

export class ExpiringKeyExaminer {
  readonly #path: string;
  readonly #database: SqliteDatabase;

  private constructor(path: string, database: SqliteDatabase) {
    this.#path = path;
    this.#database = database;
  }

  /** `isAtRest`: no process has it open for writing, so it is read without locks. */
  static open(path: string, isAtRest = false): ExpiringKeyExaminer {
    return new ExpiringKeyExaminer(path, openReadOnlyDatabase(path, EXPIRING_KEY_LAYOUT, REASONS, isAtRest));
  }

  /** The id of the newest row; 0 where there is none. */
  lastRow(table: ExpiringKeyTableSpec): number {
    const { connection } = this.#database;
    const row = this.#database.read(() =>
      connection.prepare(`SELECT coalesce(max(rowid), 0) AS id FROM ${table}`).get(),
    );
    return Number(row?.['id']);
  }

  /** Examines rows of a table in the order in which they came. They come and go meanwhile, so a part sees one state of the file. */
  rowsFrom(table: ExpiringKeyTableSpec, after: number, limit: number): ExaminedRows {
    const { connection } = this.#database;
    return this.#database.snapshot(() => {
      const { columns, foundByEnd, fault } = EXAMINED[table];
      const rows = connection
        .prepare(`SELECT rowid AS id, key, ${columns} FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT ?`)
        .all(after, limit);
      const byKey = connection.prepare(`SELECT rowid AS id FROM ${table} WHERE key = ?`);
      const byEnd = connection.prepare(`SELECT 1 FROM ${table} ${foundByEnd} AND rowid = ?`);
      const faults = rows.flatMap((row) => {
        if (byKey.get(row['key']!)?.['id'] !== row['id']) return [`a row of ${table} is not found by its key`];
        if (byEnd.get(row['ends_at']!, row['id']!) === undefined) return [`a row of ${table} is not found by its end`];
        return fault(row) ?? [];
      });
      return { rows: rows.length, next: rows.length < limit ? undefined : Number(rows.at(-1)?.['id']), faults };
    });
  }

  /** What is wrong with the file apart from its rows; a file larger than that is not read as a whole by SQLite's own check. */
  wholeFaults(structureBytes: number): readonly string[] {
    const { connection } = this.#database;
    return this.#database.read(() => {
      const schema = schemaFault(connection, layoutOf(connection, EXPIRING_KEY_LAYOUT));
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

type Row = Readonly<Record<string, unknown>>;

/** What of each table is derived, and from what. */
interface Examined {
  /** Beside the key. `ends_at` is what the index below leads to. */
  readonly columns: string;
  readonly foundByEnd: string;
  /** What else is wrong with a row. */
  readonly fault: (row: Row) => string | undefined;
}

const EXAMINED: Readonly<Record<ExpiringKeyTableSpec, Examined>> = {
  uses: {
    columns: 'keep_until AS ends_at, digest, content',
    foundByEnd: 'INDEXED BY uses_by_end WHERE keep_until = ?',
    fault: ({ digest, content }) =>
      isDigestOf(digest, String(content)) ? undefined : 'a digest in uses is not that of what was used',
  },
  issued: {
    columns: 'keep_until AS ends_at',
    foundByEnd: 'INDEXED BY issued_by_end WHERE keep_until = ?',
    fault: () => undefined,
  },
  orders: {
    columns: 'due AS ends_at, wid, jti, digest, token',
    // The index begins with whether the order is open.
    foundByEnd: 'INDEXED BY orders_by_due WHERE is_open IN (0, 1) AND due = ?',
    fault: (row) => orderFault(row),
  },
};

function orderFault({ key, wid, jti, digest, token }: Row): string | undefined {
  const isNamed = Buffer.compare(key as Uint8Array, pendingKey({ wid: String(wid), jti: String(jti) })) === 0;
  if (!isNamed) return 'a key in orders is not that of its task';
  const text = String(token);
  const signingInput = text.slice(0, Math.max(0, text.lastIndexOf('.')));
  return isDigestOf(digest, signingInput) ? undefined : 'a digest in orders is not that of its token';
}

/** Rows from before signing inputs were kept, and orders that failed, have nothing that the digest is of. */
function isDigestOf(digest: unknown, content: string): boolean {
  if (content === '') return true;
  return digest instanceof Uint8Array && Buffer.compare(digest, hash('sha256', content, 'buffer')) === 0;
}

/** Damage as its sentence; whatever else was thrown is thrown on. */
export function damageIn(error: unknown): string {
  if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return error.message;
  throw error;
}
