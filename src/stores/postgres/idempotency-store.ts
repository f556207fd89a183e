// The idempotency store in PostgreSQL: a retry gets the same token after a restart too, and from every process.

import { REQUEST_IDS } from '../store-reasons.ts';
import { TableIdempotencyStore } from '../table-idempotency-store.ts';
import type { PostgresDatabase } from './database.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import type { Lease } from './lease.ts';

export class PostgresIdempotencyStore extends TableIdempotencyStore {
  /** `database` must stay open as long as the store. `earliest`, `lease`: see ExpiringKeyTable. */
  constructor(database: PostgresDatabase, ledger = 'main', earliest?: () => number, lease?: Lease) {
    super(new ExpiringKeyTable(database.use(REQUEST_IDS), ledger, 'issued', earliest, lease));
  }
}
