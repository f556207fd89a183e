// Opens a ledger in a database for `ect audit`. Only the settings of the database are read.

import type { LedgerDatabases } from '../cli/audit-database.ts';
import { databaseRejected } from '../cli/db.ts';
import { postgresTarget } from '../config-files/postgres-target.ts';
import { databaseSettings } from './database-settings.ts';

/** An audit makes one query at a time. */
const CONNECTIONS = 1;
/** In milliseconds. No caller waits for an audit, so a busy server has more time than in a service. */
const TIMEOUTS = { connectMs: 10_000, lockMs: 60_000, statementMs: 60_000, answerMs: 65_000 };

/** `env` contains the settings. They need not be those of a service. */
export function ledgerDatabases(env: Readonly<Record<string, string | undefined>>): LedgerDatabases {
  return {
    isNamed: (env['ECT_POSTGRES_URL'] ?? '') !== '',
    open: async (url) => {
      const target = await postgresTarget(
        databaseSettings(url === undefined ? env : { ...env, ECT_POSTGRES_URL: url }),
      );
      // Other audits do not load the driver.
      const { PostgresDatabase, PostgresLedgerExaminer, PostgresLedgerStore, UnfitDatabase } = await import(
        '../stores/postgres/index.ts'
      );
      const database = new PostgresDatabase({ ...target, program: 'ect-audit' }, CONNECTIONS, TIMEOUTS);
      try {
        await database.examine();
      } catch (error) {
        await database.close();
        throw error instanceof UnfitDatabase ? databaseRejected(error.message) : error;
      }
      const store = new PostgresLedgerStore(database);
      return {
        store,
        examiner: new PostgresLedgerExaminer(database),
        close: async () => {
          await store.close();
          await database.close();
        },
      };
    },
  };
}
