// Whether services use a database, or are still needed for it. A running service always has a connection, because it reads the time every
// five seconds.

import { LEDGER } from '../store-reasons.ts';
import type { PostgresDatabase } from './database.ts';
import { SERVICE_PROGRAM } from './target.ts';

/** The connections of services to the database, in any role. */
export async function countServices(database: PostgresDatabase): Promise<number> {
  const { rows } = await database.use(LEDGER).read({
    text: `SELECT count(*) AS services FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`,
    values: [SERVICE_PROGRAM],
  });
  return Number(rows[0]?.['services']);
}

/** The number of pending recordings. */
export async function countOpenRecordings(database: PostgresDatabase, ledger = 'main'): Promise<number> {
  const { rows } = await database.use(LEDGER).read({
    text: `SELECT count(*) AS orders FROM ect.recording_orders WHERE ledger || '' = $1 AND is_open`,
    values: [ledger],
  });
  return Number(rows[0]?.['orders']);
}
