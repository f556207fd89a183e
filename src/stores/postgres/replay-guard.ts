// A replay guard in PostgreSQL: a use stays used after a restart, and for every process that shares the database.

import type { Claim, ReplayGuard, TokenUse } from '../../authority/index.ts';
import { claimOf, useKey, valueOfUse } from '../expiring-keys.ts';
import type { PostgresDatabase } from './database.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import type { StoreReasons } from './failures.ts';
import type { Lease } from './lease.ts';

const REASONS: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'replay guard',
};

/** Bounded by the disk alone: rows go when the time of their tokens is over. */
export class PostgresReplayGuard implements ReplayGuard {
  readonly #uses: ExpiringKeyTable;

  /** `database` must stay open for as long as the guard. `earliest`, `lease`: see ExpiringKeyTable. */
  constructor(database: PostgresDatabase, ledger = 'main', earliest?: () => number, lease?: Lease) {
    this.#uses = new ExpiringKeyTable(database.use(REASONS), ledger, 'uses', earliest, lease);
  }

  async claim(use: TokenUse, keepUntil: number, now: number): Promise<Claim> {
    return claimOf(use, await this.#uses.putIfAbsent({ key: useKey(use), value: valueOfUse(use), keepUntil, now }));
  }

  async look(use: TokenUse, now: number): Promise<Claim> {
    return claimOf(use, await this.#uses.get(useKey(use), now));
  }

  async close(): Promise<void> {
    await this.#uses.close();
  }
}
