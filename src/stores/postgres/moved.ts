// Whether a ledger goes on elsewhere: copied from the database, it must not be continued in it.

import type { DatabaseUse, PostgresDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';

const REASONS: StoreReasons = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' };

export class MovedLedger {
  readonly #use: DatabaseUse;
  readonly #ledger: string;

  /** `database` must stay open for as long as this. */
  constructor(database: PostgresDatabase, ledger = 'main') {
    this.#use = database.use(REASONS);
    this.#ledger = ledger;
  }

  /** Where it was copied to; undefined where it was not, or came back. */
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
