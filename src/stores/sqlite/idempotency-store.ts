// The idempotency store in `once.db`: a retry gets the same token after a restart too, and from every process.

import { REQUEST_IDS } from '../store-reasons.ts';
import { TableIdempotencyStore } from '../table-idempotency-store.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';

export class SqliteIdempotencyStore extends TableIdempotencyStore {
  readonly #table: ExpiringKeyTable;

  constructor(table: ExpiringKeyTable) {
    super(table);
    this.#table = table;
  }

  /** Opens the file at `path`, and creates it if it does not exist. `earliest`: see ExpiringKeyTable. */
  static open(path: string, earliest?: () => number, watch?: StorageWatch): SqliteIdempotencyStore {
    const database = openDatabase(path, EXPIRING_KEY_LAYOUT, REQUEST_IDS, watch);
    return new SqliteIdempotencyStore(new ExpiringKeyTable(database, 'issued', earliest));
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#table.writes;
  }

  /** See SqliteLedgerStore. */
  replacedFile(): string | undefined {
    return this.#table.replacedFile();
  }
}
