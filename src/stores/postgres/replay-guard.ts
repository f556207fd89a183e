// The replay guard in PostgreSQL: a use counts after a restart too, and for every process that shares the database.

import { REPLAY_GUARD } from '../store-reasons.ts';
import { TableReplayGuard } from '../table-replay-guard.ts';
import type { PostgresDatabase } from './database.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import type { Lease } from './lease.ts';

export class PostgresReplayGuard extends TableReplayGuard {
  /** `database` must stay open as long as the guard. `earliest`, `lease`: see ExpiringKeyTable. */
  constructor(database: PostgresDatabase, ledger = 'main', earliest?: () => number, lease?: Lease) {
    super(new ExpiringKeyTable(database.use(REPLAY_GUARD), ledger, 'uses', earliest, lease));
  }
}
