// All rows of expiring keys in a database, for a copy.

import type { ExpiringKeyKind, ExpiringKeyRow, ExpiringKeyRows } from '../expiring-keys.ts';
import { EXPIRING_KEYS } from '../store-reasons.ts';
import { bigintArray, byteaArray } from './binary-arrays.ts';
import type { DatabaseUse, PostgresDatabase, Statement } from './database.ts';
import { expiringKeyRowOf, KINDS } from './expiring-key-table.ts';
import { OutcomeUnknown } from './failures.ts';

export class PostgresExpiringKeyRows implements ExpiringKeyRows {
  readonly #use: DatabaseUse;
  readonly #ledger: string;

  /** `database` must stay open for as long as the rows. */
  constructor(database: PostgresDatabase, ledger = 'main') {
    this.#use = database.use(EXPIRING_KEYS);
    this.#ledger = ledger;
  }

  async after(kind: ExpiringKeyKind, key: Uint8Array, limit: number): Promise<readonly ExpiringKeyRow[]> {
    const { rows } = await this.#use.read({
      text: `SELECT key, digest, label, content, keep_until FROM ect.once
             WHERE ledger = $1 AND kind = $2 AND key > $3 ORDER BY key LIMIT $4`,
      values: [this.#ledger, KINDS[kind], key, limit],
    });
    return rows.map(expiringKeyRowOf);
  }

  async add(kind: ExpiringKeyKind, rows: readonly ExpiringKeyRow[]): Promise<void> {
    const statement: Statement = {
      text: `INSERT INTO ect.once AS held (ledger, kind, key, digest, label, content, keep_until)
             SELECT $1, $2, added.* FROM unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[]) AS added
             ON CONFLICT (ledger, kind, key) DO UPDATE SET
               digest = excluded.digest, label = excluded.label, content = excluded.content, keep_until = excluded.keep_until
             WHERE held.keep_until < excluded.keep_until`,
      values: [
        this.#ledger,
        KINDS[kind],
        byteaArray(rows.map(({ key }) => key)),
        byteaArray(rows.map(({ digest }) => digest)),
        byteaArray(rows.map(({ label }) => Buffer.from(label))),
        byteaArray(rows.map(({ content }) => Buffer.from(content))),
        bigintArray(rows.map(({ keepUntil }) => keepUntil)),
      ],
    };
    await this.#use.repeatedly(async (session) => {
      await session.all(statement);
      if (session.hasWarning) throw new OutcomeUnknown('the server has warned of the commit');
    });
  }

  async close(): Promise<void> {
    this.#use.close();
  }
}
