// A replay guard in one SQLite file: a use stays used after a restart, and for every process that shares the file.

import type { Claim, ReplayGuard, TokenUse } from '../../authority/index.ts';
import { claimOf, useKey, valueOfUse } from '../expiring-keys.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import type { StoreReasons } from './failures.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';

const REASONS: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'replay guard',
};

/** Bounded by the disk alone: rows go when the time of their tokens is over. */
export class SqliteReplayGuard implements ReplayGuard {
  readonly #uses: ExpiringKeyTable;

  constructor(uses: ExpiringKeyTable) {
    this.#uses = uses;
  }

  /** Opens the guard in the file at `path`, and creates the file where there is none. `earliest`: see ExpiringKeyTable. */
  static open(path: string, earliest?: () => number, watch?: StorageWatch): SqliteReplayGuard {
    return new SqliteReplayGuard(
      new ExpiringKeyTable(openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS, watch), 'uses', earliest),
    );
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#uses.writes;
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
