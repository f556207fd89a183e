// The replay guard in `once.db`: a use counts after a restart too, and for every process that shares the file.

import { REPLAY_GUARD } from '../store-reasons.ts';
import { TableReplayGuard } from '../table-replay-guard.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';

export class SqliteReplayGuard extends TableReplayGuard {
  readonly #table: ExpiringKeyTable;

  constructor(table: ExpiringKeyTable) {
    super(table);
    this.#table = table;
  }

  /** Opens the file at `path`, and creates it if it does not exist. `earliest`: see ExpiringKeyTable. */
  static open(path: string, earliest?: () => number, watch?: StorageWatch): SqliteReplayGuard {
    const database = openDatabase(path, EXPIRING_KEY_LAYOUT, REPLAY_GUARD, watch);
    return new SqliteReplayGuard(new ExpiringKeyTable(database, 'uses', earliest));
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#table.writes;
  }
}
