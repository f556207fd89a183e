// Whether services use a database, or are still needed for it. One that runs has a connection at all times: it asks for the time every five seconds.

import type { PostgresDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';
import { SERVICE_PROGRAM } from './target.ts';

const REASONS: StoreReasons = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' };

/** Connections of services to the database, whatever role they have. */
export async function countServices(database: PostgresDatabase): Promise<number> {
  const { rows } = await database.use(REASONS).read({
    text: `SELECT count(*) AS services FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`,
    values: [SERVICE_PROGRAM],
  });
  return Number(rows[0]?.['services']);
}

/** Tokens that have left and whose entries are still to come. */
export async function countOpenRecordings(database: PostgresDatabase, ledger = 'main'): Promise<number> {
  const { rows } = await database.use(REASONS).read({
    text: `SELECT count(*) AS orders FROM ect.recording_orders WHERE ledger || '' = $1 AND is_open`,
    values: [ledger],
  });
  return Number(rows[0]?.['orders']);
}
