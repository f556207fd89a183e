// All rows of an `once.db`, for a copy.

import type { ExpiringKeyKind, ExpiringKeyRow, ExpiringKeyRows } from '../expiring-keys.ts';
import { EXPIRING_KEYS } from '../store-reasons.ts';
import type { SqliteDatabase } from './database.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { openDatabase, openReadOnlyDatabase } from './open-database.ts';

export class SqliteExpiringKeyRows implements ExpiringKeyRows {
  readonly #database: SqliteDatabase;

  private constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Opens the file at `path`, and creates it if it does not exist. */
  static open(path: string): SqliteExpiringKeyRows {
    return new SqliteExpiringKeyRows(openDatabase(path, EXPIRING_KEY_LAYOUT, EXPIRING_KEYS));
  }

  /** `isAtRest`: no process has it open for writing, so no other file is created. */
  static openReadOnly(path: string, isAtRest: boolean): SqliteExpiringKeyRows {
    return new SqliteExpiringKeyRows(openReadOnlyDatabase(path, EXPIRING_KEY_LAYOUT, EXPIRING_KEYS, isAtRest));
  }

  async after(kind: ExpiringKeyKind, key: Uint8Array, limit: number): Promise<readonly ExpiringKeyRow[]> {
    const { connection } = this.#database;
    const rows = this.#database.read(() =>
      connection
        .prepare(`SELECT key, digest, label, content, keep_until FROM ${kind} WHERE key > ? ORDER BY key LIMIT ?`)
        .all(key, limit),
    );
    return rows.map((row) => ({
      key: row['key'] as Uint8Array,
      digest: row['digest'] as Uint8Array,
      label: String(row['label']),
      content: String(row['content']),
      keepUntil: Number(row['keep_until']),
    }));
  }

  async add(kind: ExpiringKeyKind, rows: readonly ExpiringKeyRow[]): Promise<void> {
    await this.#database.writeDurably(() => {
      const add = this.#database.connection.prepare(
        `INSERT INTO ${kind} (key, digest, label, content, keep_until) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET
           digest = excluded.digest, label = excluded.label, content = excluded.content, keep_until = excluded.keep_until
         WHERE keep_until < excluded.keep_until`,
      );
      for (const { key, digest, label, content, keepUntil } of rows) add.run(key, digest, label, content, keepUntil);
    });
  }

  async close(): Promise<void> {
    await this.#database.end();
  }
}
