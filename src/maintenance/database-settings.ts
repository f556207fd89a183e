// Reads only the settings of the database, for commands that need no others. The others need not be those of a service.

import { mistakeCount, WrongUsage } from '../cli/exit.ts';
import { examineConfig } from '../config/index.ts';
import type { PostgresConfig } from '../config/postgres.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Returns the database that the settings name. Throws WrongUsage if they name none or are invalid. */
export function databaseSettings(env: Env): PostgresConfig {
  if ((env['ECT_POSTGRES_URL'] ?? '') === '') {
    throw new WrongUsage('ECT_POSTGRES_URL is not set: it names the database, as postgres://user@host:port/database');
  }
  const { config, problems } = examine(env);
  const own = problems.filter((problem) => problem.includes('ECT_POSTGRES_'));
  if (own.length > 0 || config.postgres === undefined) {
    throw new WrongUsage(`the configuration has ${mistakeCount(own.length)}:`, { faults: own });
  }
  return config.postgres;
}

/** Returns the path in ECT_LEDGER_KEY_FILE. Throws WrongUsage if it is not set. */
export function ledgerKeySetting(env: Env): string {
  const { keyFile } = examine(env).config.ledger;
  if (keyFile === undefined)
    throw new WrongUsage('ECT_LEDGER_KEY_FILE must name the key of the ledger in the database');
  return keyFile;
}

function examine(env: Env): Pick<ReturnType<typeof examineConfig>, 'config' | 'problems'> {
  return examineConfig({ ...env, ECT_STORE: 'postgres' });
}
