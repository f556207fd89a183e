// Whether a ledger was copied to another store, so that it must not continue in this database.

import { LEDGER } from '../store-reasons.ts';
import type { DatabaseUse, PostgresDatabase } from './database.ts';

export class MovedLedger {
  readonly #use: DatabaseUse;
  readonly #ledger: string;

  /** `database` must stay open as long as this object. */
  constructor(database: PostgresDatabase, ledger = 'main') {
    this.#use = database.use(LEDGER);
    this.#ledger = ledger;
  }

  /** The target of the copy; undefined if there was none, or the ledger was copied back. */
  async target(): Promise<string | undefined> {
    const { rows } = await this.#use.read({
      text: 'SELECT target FROM ect.moved WHERE ledger = $1',
      values: [this.#ledger],
    });
    return rows[0] === undefined ? undefined : String(rows[0]['target']);
  }

  /** Durable when this returns. */
  async goTo(target: string): Promise<void> {
    await this.#use.read({
      text: 'INSERT INTO ect.moved (ledger, target) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      values: [this.#ledger, target],
    });
  }

  async comeBack(): Promise<void> {
    await this.#use.read({ text: 'DELETE FROM ect.moved WHERE ledger = $1', values: [this.#ledger] });
  }
}
